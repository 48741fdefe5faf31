"""The cases of every op: one module for each module of `engine/ops`, all in one table.

`tests/ops/test_ops.py` holds what must be true of each row.
"""

import importlib
import pkgutil

from cases.table import TABLE

for _module in pkgutil.iter_modules(__path__, "cases."):
    importlib.import_module(_module.name)

__all__ = ["TABLE"]
