"""The gallery page shows every figure, once, under the notebook that draws it."""

import re

import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook

from evis.companion import gallery
from evis.data import paths

PAGE = (paths.figures() / "README.md").read_text()


def test_the_page_is_up_to_date():
    assert gallery.page() == PAGE


def test_every_figure_is_on_the_page_and_every_link_leads_somewhere():
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", PAGE)
    assert sorted(shown) == sorted(path.name for path in paths.figures().glob("*.png"))
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (paths.figures() / target).exists(), target


def test_every_notebook_is_on_the_page_and_says_what_it_takes():
    linked = re.findall(r"\.\./notebooks/(\w+)\.ipynb", PAGE)
    assert linked == sorted(path.stem for path in paths.notebooks().glob("[0-9]*.ipynb"))
    assert PAGE.count("**What it takes:** ") == len(linked)


def test_what_a_page_says(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    paths.notebooks().mkdir()
    paths.figures().mkdir()
    told = "# 00 One\n\nText.\n\n**What it takes:** a second.\nNo more.\n\nMore."
    for name, text in (("00_one", told), ("42_mine", "# 42 Mine")):
        own = new_notebook(cells=[new_markdown_cell(text)])
        nbformat.write(own, paths.notebooks() / f"{name}.ipynb")
    for name in ("42_b.png", "42_a.png", "42_a.pdf", "42_c.gif", "gallery.json"):
        (paths.figures() / name).touch()
    page = gallery.write().read_text()
    assert (
        page
        == f"""{gallery.HEAD}

## [00 One](../notebooks/00_one.ipynb)

**What it takes:** a second.
No more.

## [42 Mine](../notebooks/42_mine.ipynb)

[![42_a](42_a.png)](42_a.pdf)
[![42_b](42_b.png)](42_b.pdf)
[![42_c](42_c.gif)](42_c.gif)
"""
    )
