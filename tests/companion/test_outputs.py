"""Committed notebooks hold what a run printed and drew, and nothing of when and where it ran."""

import base64
import io

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from evis.companion import outputs

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def png():
    """Noise, which no format makes small without giving up colours."""
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return base64.b64encode(content.getvalue()).decode()


def book(outputs=(), extra=()):
    cells = [
        new_markdown_cell("# title", id="a", metadata={"papermill": {"duration": 0.1}, "tags": []}),
        new_markdown_cell("a summary", id="s", metadata={"papermill": {}, "tags": ["summary"]}),
        new_code_cell("scale = 1", id="b", metadata={"tags": ["parameters"]}),
        *extra,
        new_code_cell("print(2)", id="c", outputs=list(outputs), metadata={"papermill": {"x": 1}}),
    ]
    return new_notebook(cells=cells, metadata=PYTHON)


@pytest.fixture
def stored(tmp_path):
    injected = new_code_cell("scale = 2", id="i", metadata={"tags": ["injected-parameters"]})
    run = book(
        [
            new_output("stream", name="stdout", text="2\n"),
            new_output("stream", name="stderr", text="a bar"),
            new_output("display_data", data={"image/png": png(), "text/plain": "<Figure>"}),
            new_output("execute_result", data={"text/plain": "4"}, execution_count=17),
        ],
        [injected],
    )
    run.metadata["papermill"] = {"duration": 3.2}
    nbformat.write(run, tmp_path / "ran.ipynb")
    nbformat.write(book(), tmp_path / "01_a.ipynb")
    outputs.store(tmp_path / "ran.ipynb", tmp_path / "01_a.ipynb")
    return nbformat.read(tmp_path / "01_a.ipynb", as_version=4)


def test_sources_and_ids_stay(stored):
    assert [(cell.id, cell.source) for cell in stored.cells] == [
        ("a", "# title"),
        ("s", "a summary"),
        ("b", "scale = 1"),
        ("c", "print(2)"),
    ]


def test_what_was_printed_is_kept_and_stderr_is_not(stored):
    kinds = [(o.output_type, o.get("name")) for o in stored.cells[3].outputs]
    assert kinds == [("stream", "stdout"), ("display_data", None), ("execute_result", None)]


def test_nothing_tells_of_the_run(stored):
    assert set(stored.metadata) == {"kernelspec", "language_info"}
    kept = [cell.metadata for cell in stored.cells]
    assert kept == [{}, {"tags": ["summary"]}, {"tags": ["parameters"]}, {}]
    assert [cell.get("execution_count") for cell in stored.cells] == [None, None, 1, 2]
    assert stored.cells[3].outputs[2].execution_count == 2


def test_pictures_get_smaller_and_stay_pictures(stored):
    kept = base64.b64decode(stored.cells[3].outputs[1].data["image/png"])
    assert len(kept) < len(base64.b64decode(png()))
    assert Image.open(io.BytesIO(kept)).size == (100, 100)


def test_a_notebook_that_was_changed_meanwhile_is_left_alone(tmp_path):
    nbformat.write(book(), tmp_path / "ran.ipynb")
    edited = book()
    edited.cells[3].source = "print(3)"
    nbformat.write(edited, tmp_path / "01_a.ipynb")
    before = (tmp_path / "01_a.ipynb").read_bytes()
    with pytest.raises(ValueError, match="01_a.ipynb was changed"):
        outputs.store(tmp_path / "ran.ipynb", tmp_path / "01_a.ipynb")
    assert (tmp_path / "01_a.ipynb").read_bytes() == before
