"""Arrays that touch a page which must not be read or written: an access beyond them ends the process."""

import ctypes
import mmap

import numpy as np

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def guarded(array, end):
    """Copy an array so that its first byte follows, or its last byte precedes (`end`), a forbidden page."""
    page = mmap.PAGESIZE
    size = -(-max(array.nbytes, 1) // page) * page
    memory = np.frombuffer(mmap.mmap(-1, size + 2 * page), np.uint8)  # lives as long as there is a view
    for start in (0, page + size):
        assert _libc.mprotect(memory.ctypes.data + start, page, 0) == 0
    offset = page + (size - array.nbytes if end else 0)
    copy = memory[offset : offset + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
