"""The symbolic graph: types, variables, ops, autodiff and rewriting."""
