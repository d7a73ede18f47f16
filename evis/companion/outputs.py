"""Executed notebooks as they are committed: outputs and nothing that differs from run to run.

History keeps every version of a notebook. So pictures are compressed, and where one looks like the
committed one, the committed bytes stay.
"""

import base64
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from evis.companion.plots import compression
from evis.data import files

PICTURES = ("image/png", "image/jpeg")
_FAT = 1.5  # so many times the new bytes are not worth keeping


def store(executed: Path, notebook: Path) -> None:
    """Put a run's outputs into the notebook it came from, whose sources must not have changed."""
    source = nbformat.read(notebook, as_version=4)
    ran = clean(nbformat.read(executed, as_version=4))
    if [cell.source for cell in ran.cells] != [cell.source for cell in source.cells]:
        raise ValueError(f"{notebook.name} was changed while it ran: run it again")
    for cell, done in zip(source.cells, ran.cells, strict=True):
        _keep_what_looks_alike(done, cell)
        cell.update({key: value for key, value in done.items() if key != "id"})
    source.metadata = ran.metadata
    files.write_text(notebook, nbformat.writes(source) + "\n")


def clean(notebook: NotebookNode) -> NotebookNode:
    """Drop injected cells, timings, stderr and all metadata but tags; compress pictures."""
    kernel = notebook.metadata.get("kernelspec")
    notebook.metadata = NotebookNode(kernelspec=kernel, language_info={"name": "python"})
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in _tags(cell)]
    for cell in notebook.cells:
        cell.metadata = NotebookNode(tags=_tags(cell)) if _tags(cell) else NotebookNode()
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = number
        cell.outputs = _joined([o for o in cell.outputs if o.get("name") != "stderr"])
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
            if picture := output.get("data", {}).pop("image/png", None):
                kind, content = compression.smallest(base64.b64decode(picture))
                output.data[kind] = base64.b64encode(content).decode()
    return notebook


def _keep_what_looks_alike(new: NotebookNode, committed: NotebookNode) -> None:
    """The new cell's pictures, one by one in their order, beside the committed ones."""
    with_picture = (
        [output for output in cell.get("outputs", ()) if _picture(output)]
        for cell in (new, committed)
    )
    for output, before in zip(*with_picture, strict=False):
        old, fresh = (base64.b64decode(_picture(each)) for each in (before, output))
        if len(old) < _FAT * len(fresh) and compression.look_alike(old, fresh):
            kept = {kind: before.data[kind] for kind in PICTURES if kind in before.data}
            others = {kind: data for kind, data in output.data.items() if kind not in PICTURES}
            output.data = NotebookNode(kept | others)


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Where a stream is cut into pieces depends on the machine's load."""
    joined = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _picture(output: NotebookNode) -> str | None:
    data = output.get("data", {})
    return next((data[kind] for kind in PICTURES if kind in data), None)


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])
