"""Data to learn from: data sets, the files they come in, and images of one's own."""
