"""Run notebooks from a clean start, and store them with what they print and draw.

    python notebooks/store.py                 all of them
    python notebooks/store.py notebooks/2_pooling.ipynb

Only what a reader of the page needs is stored: cells, outputs and their order; no times, no settings.
The picture of the cell with the tag `thumbnail` becomes the notebook's thumbnail.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tempfile
from pathlib import Path

import matplotlib.font_manager  # noqa: F401 - looks for fonts, if it is the first time, which a cell would report
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).resolve().parent
#: Pixels, of the longer side.
THUMBNAIL = 360
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
#: A warning is an error in every cell, but for the kernel's own about itself.
FIRST = (
    "import warnings; warnings.simplefilter('error'); warnings.filterwarnings('ignore', module='ipykernel')"
)


def notebooks() -> list[Path]:
    """Return the notebooks, in their order."""
    return sorted(FOLDER.glob("[0-9]_*.ipynb"))


def read(path: Path) -> NotebookNode:
    """Return a notebook as it is stored."""
    return nbformat.read(path, as_version=4)


def executed(notebook: NotebookNode, seconds: int = 300) -> NotebookNode:
    """Run a copy of a notebook in an empty folder, and return it with its outputs, as it is to be stored.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails, or warns.
    nbclient.exceptions.CellTimeoutError
        If a cell runs longer than so many seconds.
    """
    result = nbformat.from_dict(notebook)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            result,
            timeout=seconds,
            record_timing=False,
            coalesce_streams=True,  # what a cell prints in several goes
            resources={"metadata": {"path": folder}},
            extra_arguments=[f"--IPKernelApp.exec_lines={FIRST}", "--log-level=ERROR"],
        )
        client.execute()
    return normalised(result)


def normalised(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook with nothing in it but what a reader of the page needs."""
    result = nbformat.from_dict(notebook)
    result.nbformat, result.nbformat_minor = 4, 5
    result.metadata = nbformat.from_dict(METADATA)
    for cell in result.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        # A cell that moves keeps its id, so that changes are short to read.
        cell.id = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data.pop("text/html", None)  # code hosts allow no scripts; a picture or a text stays
    return result


def thumbnail(notebook: NotebookNode) -> bytes:
    """Return the tagged picture in small, as PNG."""
    (cell,) = (cell for cell in notebook.cells if "thumbnail" in cell.metadata.get("tags", []))
    (data,) = (output.data for output in cell.outputs if "data" in output)
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    image.quantize(64).save(file, "png", optimize=True)
    return file.getvalue()


def store(path: Path) -> None:
    """Run a notebook, and write it and its thumbnail."""
    notebook = executed(read(path))
    nbformat.write(notebook, path)
    (FOLDER / "thumbnails" / f"{path.stem}.png").write_bytes(thumbnail(notebook))


if __name__ == "__main__":
    for name in map(Path, sys.argv[1:]) if sys.argv[1:] else notebooks():
        print(name.name, flush=True)
        store(name)
