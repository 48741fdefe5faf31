"""The symbolic graph: types, variables, ops, autodiff and rewriting."""

if __name__ != "arignote.engine":
    raise ImportError("import arignote.engine; the folder engine/ is a part of the package arignote")
