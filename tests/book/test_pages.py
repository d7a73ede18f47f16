"""What the site is made of: every notebook and module, links that lead on, words for pictures."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def restructured():
    return runpy.run_path(str(ROOT / "book" / "docstrings.py"))["restructured"]


def test_every_notebook_is_on_the_route_once(pages, tmp_path):
    pages.gather(tmp_path)
    start = (tmp_path / "index.md").read_text()
    for notebook in pages.notebooks():
        assert start.count(f"\nnotebooks/{notebook.stem}\n") == 1
        assert start.count(f"**](notebooks/{notebook.name})") == 1
        assert (tmp_path / "notebooks" / notebook.name).is_file()
    for readme in pages.readmes():
        assert (tmp_path / readme.relative_to(ROOT)).is_file()


def test_every_module_is_in_the_api(pages):
    text = "\n".join(pages.api().values())
    for module in (ROOT / "evis").rglob("[!_]*.py"):
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
        assert f"automodule:: {name}\n" in text


def test_links_lead_to_pages_to_docstrings_or_to_copies(pages, tmp_path):
    page = ROOT / "notebooks" / "00_start_here.ipynb"

    def linked(text):
        return pages.linked(text, page, tmp_path)

    for same in ("[a](04_box_supervision.ipynb#tk)", "[b](https://arxiv.org/abs/2408.16661)"):
        assert linked(same) == same
    assert linked("[it](../evis/losses/tel.py)") == "{py:mod}`it <evis.losses.tel>`"
    assert linked("[`evis/losses`](../evis/losses)") == "{py:mod}`evis/losses <evis.losses>`"
    assert linked("see `evis/losses/tk.py`.") == "see {py:mod}`evis.losses.tk`."
    assert linked("`evis.data.toy.build`") == "{py:obj}`evis.data.toy.build`"
    assert linked("[d](../data)") == "[d](../data/README.md)"
    csv = "[c](../data/papers/facts.csv)"
    assert linked(csv) == csv
    assert (tmp_path / "data" / "papers" / "facts.csv").is_file()
    picture = "[![x](../figures/00_five_papers.png)](../figures/00_five_papers.pdf)"
    assert linked(picture) == picture
    assert {path.name for path in tmp_path.rglob("00_five_papers.*")} == {
        "00_five_papers.png",
        "00_five_papers.pdf",
    }


def test_pictures_are_described_by_name_title_and_section(pages):
    cell = {"source": ['axis.set(title="Boxes")\n', 'style.save(figure, "04_one_box")']}
    assert pages.described(cell, "A box") == "One box: Boxes; A box"
    assert pages.described({"source": "plot()"}, "A box") == "Picture: A box"


def test_progress_bars_stay_out_and_pale_words_are_darkened(pages, tmp_path):
    (tmp_path / "notebooks").mkdir()
    widget = {"data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "0%"}}
    styles = ["td {color: #E69F00; ", "background-color: #E69F00}"]
    table = {"data": {"text/html": styles}}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# 00 A"},
        {"cell_type": "code", "metadata": {}, "source": "", "outputs": [widget, table]},
    ]
    notebook = pages._notebook({"cells": cells}, ROOT / "notebooks/00_a.ipynb", tmp_path, ROOT)
    (shown,) = notebook["cells"][1]["outputs"]
    assert shown["data"]["text/html"] == "td {color: #8F6200; background-color: #E69F00}"


def test_docstrings_become_lists_and_literals(restructured):
    lines = [
        "What |a| is, b * c, (*d, *e).",
        "",
        "name: what",
        "    it: means",
        "other: more",
        "",
        "    x  y",
    ]
    assert restructured(lines) == [
        r"What \|a\| is, b \* c, (\*d, \*e).",
        "",
        *("", "- name: what", "  it: means", "- other: more", ""),
        *("::", "", "    x  y", ""),
    ]
