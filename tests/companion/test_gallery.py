"""The gallery page shows every figure, once, under the notebook that draws it."""

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from evis.companion import gallery
from evis.data import paths

PAGE = (paths.figures() / "README.md").read_text()


def test_the_page_is_what_its_record_gives():
    known = json.loads((paths.figures() / gallery.RECORD).read_text())
    assert gallery.page(known) == PAGE


def test_every_figure_is_on_the_page_and_every_link_leads_somewhere():
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", PAGE)
    assert sorted(shown) == sorted(path.name for path in paths.figures().glob("*.png"))
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (paths.figures() / target).exists(), target


def test_every_notebook_is_on_the_page():
    linked = set(re.findall(r"\.\./notebooks/(\w+)\.ipynb", PAGE))
    assert linked == {path.stem for path in paths.notebooks().glob("[0-9]*.ipynb")}


def test_a_record_replaces_its_own_notebooks_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "figures", lambda: tmp_path)
    gallery.record({"00_start_here": 3.0}, {"00_start_here": ["b.png", "a.png", "a.pdf"]})
    gallery.record({"09_published_numbers": 5.0}, {"09_published_numbers": ["c.png"]})
    gallery.record({"00_start_here": 4.0}, {"00_start_here": ["a.png"]})
    known = json.loads((tmp_path / gallery.RECORD).read_text())
    assert known["00_start_here"] == {"seconds": 4.0, "figures": ["a.png"]}
    assert known["09_published_numbers"]["figures"] == ["c.png"]


def test_a_new_notebook_is_recorded_without_saying_what_it_is_made_from(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    for name in ("00_start_here", "42_mine"):
        own = new_notebook(cells=[new_markdown_cell(f"# {name}")])
        paths.notebooks().mkdir(exist_ok=True)
        nbformat.write(own, paths.notebooks() / f"{name}.ipynb")
    gallery.record({"42_mine": 7.0}, {"42_mine": ["42_a.png"]})
    page = gallery.record({"00_start_here": 3.0}, {"00_start_here": []}).read_text()
    of_others, own = page.split("## [42_mine](../notebooks/42_mine.ipynb)")
    assert own == "\n\nSeconds: 7.\n\n[![42_a](42_a.png)](42_a.pdf)\n"
    assert f"\n\nMade from: {gallery.MADE_FROM['00']}. Seconds: 3.\n" in of_others


def test_a_page_that_fails_leaves_the_record_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "figures", lambda: tmp_path)
    gallery.record({"00_start_here": 3.0}, {"00_start_here": ["a.png"]})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(gallery, "page", lambda known: known["no such notebook"])
    with pytest.raises(KeyError):
        gallery.record({"00_start_here": 4.0}, {"00_start_here": ["b.png"]})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
