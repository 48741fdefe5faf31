"""Files from the web: from the first mirror that has the right ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from arignote.layers.data.datafiles import DatasetError


def fetch(title: str, md5: Mapping[str, str], mirrors: Sequence[str], folder: Path) -> None:
    """Put files into a folder, if they are not there already.

    A file is written beside its place, compared with its sum, and moved there: so none is there by halves. A
    file that is there with another sum is replaced.

    Parameters
    ----------
    title : str
        What they are, for errors.
    md5 : mapping of str to str
        The sum of each file, by its name.
    mirrors : sequence of str
        Addresses of folders that have them, the best first; with a slash at the end.
    folder : Path
        Is made if it is not there.

    Raises
    ------
    DatasetError
        If no mirror gives a file with the right sum, or it cannot be written.
    """
    import pooch

    mirrors = list(mirrors)
    for name, sum_of_file in md5.items():
        tried = []
        for mirror in tuple(mirrors):
            try:
                pooch.retrieve(mirror + name, f"md5:{sum_of_file}", fname=name, path=folder)
                break
            except (OSError, ValueError) as error:  # ValueError: another sum
                tried.append(f"  {mirror}{name}: {error}")
                mirrors.append(mirrors.pop(0))  # what failed once is tried last for the next file
        else:
            raise DatasetError(
                "\n".join(
                    [
                        f"{title} could not be downloaded to {folder}. Tried:",
                        *tried,
                        f"Without a connection, put {', '.join(md5)} there by other means.",
                    ]
                )
            )
