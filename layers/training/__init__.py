"""Training: the loop, what listens to it, and how it is kept and resumed."""
