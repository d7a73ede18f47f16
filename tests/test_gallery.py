"""The gallery page shows every figure, once, under the notebook that draws it."""

import json
import re

from evis import gallery, paths

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
