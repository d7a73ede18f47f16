"""The course, 00 to 09, and its appendix: solutions print what is said, figures are there, no link
is dead.
"""

import pkgutil
import re
from contextlib import redirect_stdout
from io import StringIO

import nbformat
import pytest

from evis.data import paths

EXERCISES = {
    "00_start_here": 2,
    "01_data_and_supervision": 2,
    "02_metrics": 3,
    "03_video_mask2former": 3,
    "04_box_supervision": 3,
    "05_spectral_tel_intuition": 5,
    "06_qcc_clustering": 4,
    "07_full_gpu_training": 3,
    "08_your_own_video": 2,
    "09_published_numbers": 4,
    "17_full_run_appendix": 2,
}
TABLES = "09_published_numbers"  # draws all of them by one name, and nothing in it moves
APPENDIX = "17_full_run_appendix"  # draws nothing
EXERCISE = re.compile(r"^\*\*\d\.\*\* .*?</details>", re.DOTALL | re.MULTILINE)


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(paths.notebooks() / f"{name}.ipynb", as_version=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXERCISES)
def test_solutions_print_what_the_exercises_say(name, defined_by):
    """In order: a line of it stands in `...` after "It prints"."""
    book = read(name)
    text = "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    exercises = EXERCISE.findall(text.partition("## Exercises")[2])
    assert len(exercises) == EXERCISES[name]
    defined = defined_by(book)
    for exercise in exercises:
        (solution,) = re.findall(r"```python\n(.*?)```", exercise, re.DOTALL)
        told = re.findall(r"`([^`]+)`", exercise.partition("```\n\nIt prints ")[2])
        printed = StringIO()
        with redirect_stdout(printed):
            exec(solution, defined)
        lines = printed.getvalue().splitlines()
        assert lines and lines == told[: len(lines)]


@pytest.mark.parametrize("name", sorted(EXERCISES.keys() - {TABLES, APPENDIX}))
def test_each_figure_is_committed_and_one_of_them_moves(name):
    code = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "code")
    stills = re.findall(r'style\.save\(.*?, "(\w+)"\)', code)
    films = re.findall(r'pictures\.moving\(.*?"(\d\d_\w+)"', code, re.DOTALL)
    committed = {path.name for path in paths.figures().glob(f"{name[:2]}_*.*")}
    assert committed == {f"{still}.{kind}" for still in stills for kind in ("png", "pdf")} | {
        f"{film}.gif" for film in films
    }
    sizes = [(paths.figures() / f"{film}.gif").stat().st_size for film in films]
    assert sizes and max(sizes) < 1_500_000


@pytest.mark.parametrize("name", EXERCISES)
def test_links_lead_to_notebooks_from_the_first_cell_and_the_last(name):
    links = [
        re.findall(r"\]\((\d\d_\w+\.ipynb)\)", cell.source)
        for cell in read(name).cells
        if cell.cell_type == "markdown"
    ]
    assert links[0] and links[-1]
    assert all((paths.notebooks() / link).exists() for found in links for link in found)


@pytest.mark.parametrize(
    "name", [*sorted(EXERCISES.keys() - {"01_data_and_supervision"}), "60_what_is_a_label_worth"]
)
def test_the_first_cell_and_the_last_lead_to_the_paper_and_to_the_code(name):
    cells = read(name).cells
    for cell in (cells[0], cells[-1]):
        assert re.search(r"\]\(\d\d_\w+\.ipynb\)", cell.source)
        assert re.search(r"\]\(https://arxiv\.org/abs/", cell.source)
        code = re.findall(r"\]\(\.\./(evis/[\w./]+)\)", cell.source)
        assert code and all((paths.repository() / place).exists() for place in code)


def test_the_map_leads_to_every_notebook():
    (told,) = (cell.source for cell in read("00_start_here").cells if "## The map" in cell.source)
    table, _, _ = told.partition("## One table")
    linked = re.findall(r"^\| \[.*?\]\((\w+)\.ipynb\)", table, re.MULTILINE)
    there = {path.stem for path in paths.notebooks().glob("[0-9]*.ipynb")}
    assert len(linked) == len(set(linked)) and {"00_start_here", *linked} == there


def test_each_symbol_is_where_the_table_says():
    (told,) = (cell.source for cell in read("00_start_here").cells if "## One table" in cell.source)
    names = re.findall(r"`(evis\.[\w.]+)`", told.partition("## One table")[2])
    assert len(names) > 25
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert callable(pkgutil.resolve_name(f"{module}:{attribute}"))
