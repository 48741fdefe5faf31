"""Calls kernels as threads would: ranges of tasks, out of order, with scratch memory full of NaN."""

import ctypes

import numpy as np

from arignote.compile.objects import kernel_address
from arignote.compile.spec import KernelSpec

SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def scratch_memory(size):
    """Return 64-byte aligned memory of which every element, read as a float, is NaN."""
    memory = np.full(size + 64, 0xFF, np.uint8)
    return memory[-memory.ctypes.data % 64 :][:size]


def call(builder, plan, tasks, *words, scratch=None):
    """Run a plan's kernel on arrays and integers.

    Parameters
    ----------
    builder : str
        As in a kernel's name.
    plan
        Gives `parameters`, `words` where extents are open, and `scratch_bytes` where the kernel needs any.
    tasks : int
        How many to run.
    *words : ndarray or int
        The kernel's arguments, before the plan's words.
    scratch : ndarray, optional
        Scratch memory, instead of new.
    """
    kernel = SIGNATURE(kernel_address(KernelSpec.of(builder, **plan.parameters)))
    words += tuple(getattr(plan, "words", ()))
    values = (word.ctypes.data if isinstance(word, np.ndarray) else word for word in words)
    arguments = (ctypes.c_int64 * len(words))(*values)
    if scratch is None:
        scratch = scratch_memory(getattr(plan, "scratch_bytes", 0))
    for begin, end in ((tasks // 3, tasks), (0, tasks // 3)):
        assert kernel(arguments, scratch.ctypes.data, begin, end) == 0
