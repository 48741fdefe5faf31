"""arignote: a Theano-style symbolic graph engine for convolutional networks on the CPU."""
