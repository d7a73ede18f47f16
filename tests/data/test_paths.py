"""The repository is found from wherever evis is called."""

from pathlib import Path

import pytest

from evis.data import paths
from evis.data.errors import DataError

ROOT = Path(__file__).resolve().parents[2]


def test_the_checkout_that_evis_was_imported_from(monkeypatch, tmp_path):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert paths.repository() == ROOT
    assert paths.notebooks() == ROOT / "notebooks"
    assert paths.data() == ROOT / "data"
    assert paths.results() == ROOT / "data" / "results"
    assert paths.figures() == ROOT / "figures"
    assert paths.build() == ROOT / "build"


def test_evis_root_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    assert paths.repository() == tmp_path


def test_an_installed_evis_uses_the_checkout_around_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "evis" / "paths.py"))
    monkeypatch.chdir(ROOT / "tests")
    assert paths.repository() == ROOT


def test_no_repository_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "evis" / "paths.py"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()  # another project's
    with pytest.raises(DataError, match="without its repository.*EVIS_ROOT"):
        paths.repository()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("typo", "loop"):
        monkeypatch.setenv("EVIS_ROOT", str(tmp_path / name))
        with pytest.raises(DataError, match=f"{name}.*EVIS_ROOT|EVIS_ROOT.*{name}"):
            paths.repository()
