"""Numbers of bytes, as people write and read them."""

from __future__ import annotations

import re

__all__ = ["parse_size", "size_text"]

_UNITS = "KMGTPE"


def size_text(size: int) -> str:
    """Return a number of bytes in the largest unit of which there is one.

    Parameters
    ----------
    size : int

    Returns
    -------
    str

    Examples
    --------
    >>> size_text(1000), size_text(1536), size_text(2**40)
    ('1000 bytes', '1.5 KiB', '1.0 TiB')
    """
    if size < 1024:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, len(_UNITS))
    return f"{size / 1024**power:.1f} {_UNITS[power - 1]}iB"


def parse_size(text: str) -> int:
    """Read a number of bytes, which may end in K, M or G.

    Parameters
    ----------
    text : str

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is anything else.

    Examples
    --------
    >>> parse_size("4096"), parse_size("1.5K"), parse_size("2G")
    (4096, 1536, 2147483648)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)", text.strip().upper())
    if match is None:
        raise ValueError(f"a size is a number of bytes, which may end in K, M or G; not {text!r}")
    number, unit = match.groups()
    return int(float(number) * 1024 ** (1 + _UNITS.index(unit) if unit else 0))
