"""Committed notebooks hold what a run printed and drew, and nothing of when and where it ran."""

import base64
import io

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from evis.companion import outputs
from evis.data import paths

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return base64.b64encode(content.getvalue()).decode()


def photograph():
    """Many colours that change slowly."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    return np.array(Image.fromarray(pixels).resize((100, 100), Image.Resampling.BICUBIC))


def plot(shift=0):
    """A black square on white."""
    pixels = np.full((100, 100, 3), 255, np.uint8)
    pixels[30:60, 30 + shift : 60 + shift] = 0
    return pixels


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
            new_output(
                "display_data", data={"image/png": png(photograph()), "text/plain": "<Figure>"}
            ),
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
    """A photograph as JPEG; a plot is below."""
    data = stored.cells[3].outputs[1].data
    assert set(data) == {"image/jpeg", "text/plain"}
    kept = base64.b64decode(data["image/jpeg"])
    assert len(kept) < len(base64.b64decode(png(photograph()))) / 2
    assert Image.open(io.BytesIO(kept)).size == (100, 100)


def stored_again(folder, committed, drawn):
    """The picture in a notebook that held `committed`, after a run that drew `drawn`."""
    for name, picture in (("01_a", committed), ("ran", drawn)):
        output = new_output("display_data", data=picture | {"text/plain": "<Figure>"})
        nbformat.write(book([output]), folder / f"{name}.ipynb")
    outputs.store(folder / "ran.ipynb", folder / "01_a.ipynb")
    return dict(nbformat.read(folder / "01_a.ipynb", as_version=4).cells[3].outputs[0].data)


def test_a_picture_that_looks_like_the_committed_one_adds_no_byte(tmp_path):
    """Though its pixels differ a little, as on another machine; and in a notebook as a whole."""
    noisy = np.clip(plot().astype(int) + np.indices((100, 100)).sum(0)[..., None] % 3 - 2, 0, 255)
    committed = stored_again(tmp_path, {}, {"image/png": png(plot())})
    before = (tmp_path / "01_a.ipynb").read_bytes()
    kept = stored_again(tmp_path, committed, {"image/png": png(noisy.astype(np.uint8))})
    assert kept == committed and (tmp_path / "01_a.ipynb").read_bytes() == before


def test_a_picture_that_looks_otherwise_is_replaced(tmp_path):
    committed = {"image/png": png(plot())}
    assert stored_again(tmp_path, committed, {"image/png": png(plot(shift=8))}) != committed


def test_a_committed_picture_that_is_far_too_large_is_replaced(tmp_path):
    picture = {"image/png": png(photograph())}
    kept = stored_again(tmp_path, picture, picture)
    assert "image/jpeg" in kept and "image/png" not in kept


def test_pieces_of_what_was_printed_are_one(tmp_path):
    """Where a stream is cut depends on the machine's load."""
    pieces = [new_output("stream", name="stdout", text=text) for text in ("2", "\n3\n")]
    bar = new_output("stream", name="stderr", text="a bar")
    nbformat.write(book([pieces[0], bar, pieces[1]]), tmp_path / "ran.ipynb")
    nbformat.write(book(), tmp_path / "01_a.ipynb")
    outputs.store(tmp_path / "ran.ipynb", tmp_path / "01_a.ipynb")
    (output,) = nbformat.read(tmp_path / "01_a.ipynb", as_version=4).cells[3].outputs
    assert output.text == "2\n3\n"


@pytest.mark.parametrize("notebook", sorted(paths.notebooks().glob("[0-9]*.ipynb")), ids=str)
def test_a_notebook_has_at_most_a_megabyte(notebook):
    assert notebook.stat().st_size <= 1_000_000


def test_a_notebook_that_was_changed_meanwhile_is_left_alone(tmp_path):
    nbformat.write(book(), tmp_path / "ran.ipynb")
    edited = book()
    edited.cells[3].source = "print(3)"
    nbformat.write(edited, tmp_path / "01_a.ipynb")
    before = (tmp_path / "01_a.ipynb").read_bytes()
    with pytest.raises(ValueError, match="01_a.ipynb was changed"):
        outputs.store(tmp_path / "ran.ipynb", tmp_path / "01_a.ipynb")
    assert (tmp_path / "01_a.ipynb").read_bytes() == before
