"""Executed notebooks as they are committed: outputs and nothing that differs from run to run."""

import base64
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from evis.companion.plots.compression import few_colours
from evis.data import files


def store(executed: Path, notebook: Path) -> None:
    """Put a run's outputs into the notebook it came from, whose sources must not have changed."""
    source = nbformat.read(notebook, as_version=4)
    ran = clean(nbformat.read(executed, as_version=4))
    if [cell.source for cell in ran.cells] != [cell.source for cell in source.cells]:
        raise ValueError(f"{notebook.name} was changed while it ran: run it again")
    for cell, done in zip(source.cells, ran.cells, strict=True):
        cell.update({key: value for key, value in done.items() if key != "id"})
    source.metadata = ran.metadata
    files.write_text(notebook, nbformat.writes(source) + "\n")


def clean(notebook: NotebookNode) -> NotebookNode:
    """Drop injected cells, timings, stderr and all metadata but tags; keep pictures small."""
    kernel = notebook.metadata.get("kernelspec")
    notebook.metadata = NotebookNode(kernelspec=kernel, language_info={"name": "python"})
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in _tags(cell)]
    for cell in notebook.cells:
        cell.metadata = NotebookNode(tags=_tags(cell)) if _tags(cell) else NotebookNode()
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = number
        cell.outputs = [_clean_output(o, number) for o in cell.outputs if o.get("name") != "stderr"]
    return notebook


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _clean_output(output: NotebookNode, number: int) -> NotebookNode:
    if "execution_count" in output:
        output.execution_count = number
    if picture := output.get("data", {}).get("image/png"):
        output.data["image/png"] = base64.b64encode(few_colours(base64.b64decode(picture))).decode()
    return output
