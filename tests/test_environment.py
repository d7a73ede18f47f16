"""pyproject.toml, requirements.lock and environment.yml agree, and the code needs no more."""

import ast
import importlib.metadata as metadata
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import evis

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {
    "torch": "pytorch",
    "opencv-python-headless": "py-opencv",
    "scikit-video": "sk-video",
    "huggingface-hub": "huggingface_hub",
}
CONDA_ONLY = {"python", "pip", "setuptools", "detectron2", "torchvision"}
# torch's own wheel pins these exactly, and only its CUDA builds need them.
TORCH_BRINGS = re.compile(r"nvidia-|cuda-|triton$")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = {
    name: [Requirement(text) for text in texts]
    for name, texts in PROJECT["optional-dependencies"].items()
}
APART = {"all", "book"}  # everything else, and what `make book` installs by a lock of its own
DECLARED = CORE + [need for name, needs in EXTRAS.items() if name not in APART for need in needs]
LOCK_LINES = (ROOT / "requirements.lock").read_text().splitlines()
BOOK_LINES = (ROOT / "requirements-book.lock").read_text().splitlines()
LOCK = dict(line.split("==") for line in LOCK_LINES[1:])
LOCKED = {canonicalize_name(name): Version(version) for name, version in LOCK.items()}
BOOK = {canonicalize_name(n): Version(v) for n, v in (line.split("==") for line in BOOK_LINES[1:])}
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
CONDA_SPECS = dict(
    spec.partition(" ")[::2] for spec in CONDA["dependencies"] if isinstance(spec, str)
)
# What environment.yml takes from PyPI.
PIP_SPECS = ["sphinx-mathjax-offline >=0.0.2,<1"]


def names(requirements) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


@pytest.mark.parametrize(("lines", "locked"), [(LOCK_LINES, LOCKED), (BOOK_LINES, BOOK)])
def test_every_locked_line_is_one_exact_public_version(lines, locked):
    assert lines[0].startswith("#") and "make lock" in lines[0]
    for line in lines[1:]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line), line
    assert len(locked) == len(lines) - 1


def test_torch_is_the_locked_one_and_torchvision_is_not_needed():
    assert LOCK["torch"] == "2.13.0"
    assert "torch==2.13.0 " in (ROOT / "Makefile").read_text()
    assert "torchvision" not in LOCKED
    assert "torchvision" not in names(DECLARED)
    assert "torchvision" in CONDA_SPECS


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_the_lock_satisfies_every_range(requirement):
    version = LOCKED[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_the_books_lock_adds_what_its_extra_needs_and_changes_nothing():
    assert not set(BOOK) & set(LOCKED)
    for requirement in EXTRAS["book"]:
        assert requirement.specifier.contains(BOOK[canonicalize_name(requirement.name)])


def test_the_lock_satisfies_the_build():
    (build,) = [Requirement(text) for text in PYPROJECT["build-system"]["requires"]]
    assert build.specifier.contains(LOCKED[build.name])
    assert f"setuptools {build.specifier}" == f"setuptools {CONDA_SPECS['setuptools']}"


def closure(requirements: list[Requirement]) -> dict[str, SpecifierSet]:
    """Everything that the requirements need here, by the installed packages' own metadata."""
    needed: dict[str, SpecifierSet] = {}
    waiting = [(need, extra) for need in requirements for extra in ("", *need.extras)]
    seen = set()
    while waiting:
        need, extra = waiting.pop()
        name = canonicalize_name(need.name)
        needed[name] = needed.get(name, SpecifierSet()) & need.specifier
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in metadata.requires(name) or ():
            deeper = Requirement(text)
            if TORCH_BRINGS.match(deeper.name):
                continue
            if deeper.marker is None or deeper.marker.evaluate({"extra": extra}):
                waiting += [(deeper, own) for own in ("", *deeper.extras)]
    return needed


@pytest.mark.skipif(sys.platform != "linux", reason="the lock is resolved for Linux")
def test_the_lock_is_the_whole_closure_and_is_what_is_installed():
    needed = closure(DECLARED)
    assert set(needed) == set(LOCKED)
    for name, specifier in needed.items():
        assert specifier.contains(LOCKED[name]), name
        assert metadata.version(name).partition("+")[0] == str(LOCKED[name]), name


def test_the_extra_all_is_every_other_extra_but_the_book():
    (everything,) = EXTRAS["all"]
    assert everything.name == PROJECT["name"]
    assert everything.extras == set(EXTRAS) - APART


def test_conda_and_pyproject_name_the_same_packages_and_ranges():
    expected = {
        CONDA_NAMES.get(requirement.name, requirement.name): requirement.specifier
        for requirement in DECLARED + EXTRAS["book"]
    }
    specs = CONDA_SPECS | dict(spec.split(" ") for spec in PIP_SPECS)
    found = {name: SpecifierSet(spec) for name, spec in specs.items() if name not in CONDA_ONLY}
    assert found == expected


def test_conda_uses_conda_forge_alone_and_installs_the_checkout():
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert {"pip": ["-e .", *PIP_SPECS]} in CONDA["dependencies"]
    assert set(CONDA_SPECS) >= CONDA_ONLY
    python = CONDA_SPECS["python"].removeprefix("=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def third_party(source: str, local: set[str]) -> set[str]:
    """Top-level modules that a source imports and that neither python nor the tree holds."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module)
    return {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - local


def sources(folder: str) -> dict[str, str]:
    found = {str(path): path.read_text() for path in (ROOT / folder).rglob("*.py")}
    for path in (ROOT / folder).rglob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        lines = "\n".join(code).splitlines()
        found[str(path)] = "\n".join(line for line in lines if line.lstrip()[:1] not in ("%", "!"))
    return found


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("evis", CORE + EXTRAS["train"]),
        ("evis/companion/plots", CORE + EXTRAS["train"] + EXTRAS["notebooks"]),
        ("notebooks", CORE + EXTRAS["train"] + EXTRAS["notebooks"]),
        ("tests", DECLARED),
        ("benchmarks", DECLARED),
        ("book", []),
    ],
)
def test_every_import_is_of_a_declared_package(folder, allowed):
    owners = metadata.packages_distributions()
    own = [path for top in ("tests", "benchmarks", "book") for path in (ROOT / top).rglob("*.py")]
    local = {"evis", *(path.stem for path in own)}
    for path, source in sources(folder).items():
        if folder == "evis" and "/evis/companion/plots/" in path:
            continue  # pictures for notebooks may use what notebooks use
        for module in third_party(source, local):
            if module == "detectron2" and "/integrations/" in path:
                continue  # not on PyPI; the tests say so and skip without it
            if module == "torchvision" and path.endswith("/foundation/flow.py"):
                continue  # for RAFT, where a user has it; OpenCV's flow is the default
            found = {canonicalize_name(owner) for owner in owners.get(module, ())}
            assert found & names(allowed), f"{path} imports {module}"


def test_third_party_imports_are_told_from_the_others():
    source = "import os, cv2.aruco\nfrom evis.data import toy\nfrom . import x\nfrom yaml import y"
    assert third_party(source, {"evis"}) == {"cv2", "yaml"}


@pytest.mark.parametrize(
    "name",
    [
        *("pyproject.toml", "requirements.lock", "requirements-book.lock"),
        *("environment.yml", "Makefile", ".ci/run"),
    ],
)
def test_set_up_files_name_no_host(name):
    assert not re.search(r"://|--(extra-)?index-url|--find-links", (ROOT / name).read_text())


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == evis.__version__ == citation["version"]
    assert PROJECT["license"] == citation["license"]


def test_the_five_papers_are_cited_in_full():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    papers = citation["references"]
    keys = [paper["title"].split(":")[0].split(" Worth")[0] for paper in papers]
    assert keys == ["Eigen-Cluster VIS", "UVIS", "FlowCut", "What is Point Supervision", "PM-VIS"]
    assert [len(paper["authors"]) for paper in papers] == [3, 6, 2, 8, 5]
    for paper in papers:
        assert paper["type"] in ("article", "conference-paper")
        assert 2024 <= paper["year"] <= 2025
        assert all(set(person) == {"given-names", "family-names"} for person in paper["authors"])
        (identifier,) = paper["identifiers"]
        number = re.fullmatch(r"arXiv:(\d\d)(\d\d)\.\d{5}", identifier["value"])
        assert 2000 + int(number[1]) == paper["year"]
