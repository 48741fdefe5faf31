"""Tensors: constructors, operators and functions, under Theanos names."""
