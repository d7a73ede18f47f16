"""Notebooks are run in order in fresh kernels, and every one's fate is told."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nbformat
import psutil
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from evis import cli
from evis.companion import reproduce, series
from evis.data.errors import DataError

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def write_notebook(path: Path, *cells: str, parameters: str | None = None) -> None:
    tagged = [new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    code = [new_code_cell(source) for source in cells]
    book = new_notebook(cells=[new_markdown_cell("# title"), *tagged, *code], metadata=PYTHON)
    nbformat.write(book, path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three notebooks run once, at a path with spaces, by a user with a broken python3 kernel."""
    root = tmp_path_factory.mktemp("a check out")
    (root / "notebooks").mkdir()
    (root / "figures").mkdir()
    (root / "figures" / "01_new.pdf").write_bytes(b"committed")
    write_notebook(
        root / "notebooks" / "01_good.ipynb",
        "from evis.data import paths; import os, sys, pathlib\n"
        "paths.figures().mkdir(exist_ok=True)\n"
        "paths.figures().joinpath('01_new.pdf').write_bytes(b'1')\n"
        "paths.figures().joinpath('02_others.pdf').write_bytes(b'1')",
        "folder = pathlib.Path.cwd().name\n"
        "print(scale, recompute, folder, sys.executable, os.environ['IPYTHONDIR'])",
        parameters="scale = 'toy'\nrecompute = True",
    )
    write_notebook(
        root / "notebooks" / "02_bad.ipynb",
        "print(scale)",
        "\n# the point\nraise ValueError('first line\\nlast line')",
        "print('not reached')",
        parameters="scale = 'toy'",
    )
    (root / "notebooks" / "03_broken.ipynb").write_text("{")
    (root / "notebooks" / "draft.ipynb").write_text("not numbered, so not run")
    (root / "build" / "notebooks").mkdir(parents=True)
    (root / "build" / "notebooks" / "03_broken.ipynb").write_text("an earlier run's")
    (root / "user" / "kernels" / "python3").mkdir(parents=True)
    spec = {"argv": ["false"], "display_name": "broken", "language": "python"}
    (root / "user" / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVIS_ROOT", str(root))
        patch.setenv("JUPYTER_DATA_DIR", str(root / "user"))
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
        patch.delenv("JUPYTER_PATH", raising=False)
        before = dict(os.environ)
        outcomes = reproduce.reproduce("smoke")
        assert dict(os.environ) == before
    return root, outcomes


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_ends_it_in_one_line_and_no_kernel_stays(tmp_path, whole_group):
    (tmp_path / "notebooks").mkdir()
    for number in range(1, 4):
        source = f"import os; os.mkdir('../{number}'); import time; time.sleep(600)"
        write_notebook(tmp_path / "notebooks" / f"0{number}_waits.ipynb", source)
    command = subprocess.Popen(
        [sys.executable, "-m", "evis", "reproduce", "--scale", "smoke"],
        env=os.environ | {"EVIS_ROOT": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs inherit that Ctrl-C is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 300
    while not ((tmp_path / "1").exists() and (tmp_path / "2").exists()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kernels = psutil.Process(command.pid).children(recursive=True)
    (os.killpg if whole_group else os.kill)(command.pid, signal.SIGINT)
    told = command.communicate(timeout=120)[1]
    assert command.returncode == 130
    assert "Traceback" not in told and told.rstrip().endswith("evis: interrupted")
    assert len(kernels) >= 2 and not psutil.wait_procs(kernels, timeout=60)[1]
    assert not (tmp_path / "3").exists()


def test_where_nothing_can_be_written_one_error_says_so(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for number in (1, 2):
        write_notebook(tmp_path / "notebooks" / f"0{number}_a.ipynb", "1")
    (tmp_path / "build").write_text("no folder")
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    with pytest.raises(OSError, match="Not a directory|File exists"):
        reproduce.reproduce("smoke")


@pytest.mark.parametrize("number", ["00", "01", "03"])
def test_a_scale_that_is_none_is_said_before_anything_is_computed(number):
    """As papermill gives it; these notebooks look it up in tables of their own."""
    (path,) = (Path(__file__).parents[2] / "notebooks").glob(f"{number}_*.ipynb")
    book = reproduce._with_parameters(path, {"scale": "huge"})
    first, given, imports = [cell.source for cell in book.cells if cell.cell_type == "code"][:3]
    shell = InteractiveShell.instance()
    shell.run_cell(f"{first}\n{given}")
    try:
        result = shell.run_cell(imports)
    finally:
        InteractiveShell.clear_instance()
    with pytest.raises(ValueError, match="no scale is called 'huge'; there are smoke, toy, full"):
        result.raise_error()


def test_every_notebook_has_its_scale_checked_before_it_is_used():
    for path in sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")):
        cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        before = "\n".join(cells[1:]).partition("style.use()")[0]
        assert "scale" not in before, path.name


@pytest.mark.parametrize("run", [reproduce.reproduce, lambda scale: series.at_scale(scale, [])])
def test_a_scale_that_is_none_is_refused(run):
    with pytest.raises(ValueError, match="no scale is called 'huge'; there are smoke, toy, full"):
        run("huge")


def printed(notebook: Path) -> str:
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = (output for cell in cells for output in cell.get("outputs", ()))
    return "".join(output.get("text", "") for output in outputs)


def test_all_are_run_in_order_whatever_fails(run):
    _, outcomes = run
    assert [(outcome.notebook, outcome.verdict) for outcome in outcomes] == [
        ("01_good", "ok"),
        ("02_bad", "failed"),
        ("03_broken", "failed"),
    ]


def test_declared_parameters_alone_are_injected(run):
    root, _ = run
    scale, recompute, *_ = printed(root / "build" / "notebooks" / "01_good.ipynb").split(" ")
    assert (scale, recompute) == ("smoke", "False")
    assert printed(root / "build" / "notebooks" / "02_bad.ipynb") == "smoke\n"
    bad = (root / "build" / "notebooks" / "02_bad.ipynb").read_text()
    assert "recompute" not in bad


def test_kernels_are_this_pythons_own_and_run_in_the_notebooks_folder(run):
    root, _ = run
    *_, folder, rest = printed(root / "build" / "notebooks" / "01_good.ipynb").split(" ", 3)
    assert folder == "notebooks"
    assert rest.strip() == f"{sys.executable} {root / 'build' / 'ipython'}"


def test_figures_of_a_smoke_run_are_named_and_leave_the_committed_ones_alone(run):
    root, outcomes = run
    assert [outcome.figures for outcome in outcomes] == [["01_new.pdf"], ["02_others.pdf"], []]
    assert (root / "figures" / "01_new.pdf").read_bytes() == b"committed"
    assert (root / "build" / "figures" / "01_new.pdf").read_bytes() == b"1"


def test_the_failing_cell_is_named_as_in_the_source_notebook(run):
    root, outcomes = run
    failure = outcomes[1].failure
    assert failure.error == "ValueError: last line"
    assert failure.source == "# the point"
    source = nbformat.read(root / "notebooks" / "02_bad.ipynb", as_version=4).cells
    assert "raise ValueError" in source[failure.cell - 1].source
    executed = nbformat.read(root / "build" / "notebooks" / "02_bad.ipynb", as_version=4).cells
    (failed,) = [cell for cell in executed if "raise ValueError" in cell.source]
    assert failed.execution_count == failure.execution_count
    assert executed[-1].source == "print('not reached')" and not executed[-1].outputs


def test_a_notebook_that_is_none_leaves_no_copy_of_an_earlier_run(run):
    root, outcomes = run
    assert not (root / "build" / "notebooks" / "03_broken.ipynb").exists()
    assert outcomes[2].failure.cell is None
    assert "03_broken" in reproduce.report(outcomes)


def test_the_summary_is_printed_and_kept(run):
    root, outcomes = run
    lines = reproduce.report(outcomes).splitlines()
    assert lines[0].split() == ["notebook", "seconds", "figures", "verdict"]
    name, seconds, figures, verdict = lines[1].split()
    assert (name, figures, verdict) == ("01_good", "1", "ok") and float(seconds) > 0
    assert "02_bad: ValueError: last line" in lines
    assert "  in cell 4 (In [4]): # the point" in lines
    summary = json.loads((root / "build" / "summary.json").read_text())
    assert (summary["scale"], summary["recompute"]) == ("smoke", False)
    assert [book["verdict"] for book in summary["notebooks"]] == ["ok", "failed", "failed"]
    assert summary["notebooks"][1]["failure"]["cell"] == 4


def test_a_failure_before_any_parameter_is_counted_right(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    write_notebook(tmp_path / "notebooks" / "00_first.ipynb", parameters="scale = missing")
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    (outcome,) = reproduce.reproduce("smoke")
    assert outcome.failure.cell == 2
    assert outcome.failure.error == "NameError: name 'missing' is not defined"


@pytest.fixture
def two_notebooks(monkeypatch, tmp_path):
    """One that draws a figure, and one that fails; each has a figure of an earlier run."""
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    for folder in ("notebooks", "figures"):
        (tmp_path / folder).mkdir()
    for name in ("01_old.png", "02_old.png", "README.md"):
        (tmp_path / "figures" / name).write_bytes(b"old")
        os.utime(tmp_path / "figures" / name, (1, 1))
    draw = "from evis.data import paths; paths.figures().joinpath('01_a.png').write_bytes(b'1')"
    write_notebook(tmp_path / "notebooks" / "01_good.ipynb", draw, "print('done')")
    write_notebook(tmp_path / "notebooks" / "02_bad.ipynb", "print(1)", "raise ValueError")
    return tmp_path


def test_outputs_of_what_did_not_fail_are_stored(two_notebooks):
    bad = (two_notebooks / "notebooks" / "02_bad.ipynb").read_bytes()
    reproduce.reproduce("toy", store=True)
    assert printed(two_notebooks / "notebooks" / "01_good.ipynb") == "done\n"
    assert (two_notebooks / "notebooks" / "02_bad.ipynb").read_bytes() == bad


@pytest.mark.slow
def test_figures_that_a_stored_notebook_draws_no_more_are_gone(two_notebooks):
    reproduce.reproduce("toy")
    there = {path.name for path in (two_notebooks / "figures").iterdir()}
    assert there == {"01_a.png", "01_old.png", "02_old.png", "README.md"}
    reproduce.reproduce("toy", store=True)
    there = {path.name for path in (two_notebooks / "figures").iterdir()}
    assert there == {"01_a.png", "02_old.png", "README.md"}
    page = (two_notebooks / "figures" / "README.md").read_text()
    assert "01_a.png" in page and "01_old" not in page


def test_two_run_at_a_time_and_come_back_in_order(two_notebooks):
    """The first waits for a file that the second writes."""
    for path in (two_notebooks / "notebooks").iterdir():
        path.unlink()
    wait = (
        "import pathlib, time\nfor _ in range(3000):\n"
        "    if pathlib.Path('flag').exists(): break\n    time.sleep(0.1)\n"
        "print(pathlib.Path('flag').exists())"
    )
    write_notebook(two_notebooks / "notebooks" / "01_waits.ipynb", wait)
    write = "import pathlib; pathlib.Path('flag').touch()"
    write_notebook(two_notebooks / "notebooks" / "02_writes.ipynb", write)
    runs = reproduce.reproduce("toy")
    assert [(run.notebook, run.verdict) for run in runs] == [
        ("01_waits", "ok"),
        ("02_writes", "ok"),
    ]
    assert printed(two_notebooks / "build" / "notebooks" / "01_waits.ipynb") == "True\n"


@pytest.mark.slow
def test_a_notebook_that_is_edited_while_it_runs_is_not_stored(two_notebooks, monkeypatch):
    notebook = two_notebooks / "notebooks" / "01_good.ipynb"
    run_one = reproduce._run

    async def run_and_edit(path, *rest):
        outcome = await run_one(path, *rest)
        if path == notebook:
            write_notebook(path, "print('edited')")
        return outcome

    monkeypatch.setattr(reproduce, "_run", run_and_edit)
    good, bad = reproduce.reproduce("toy", store=True)
    assert "was changed while it ran" in good.failure.error and bad.failure
    assert (two_notebooks / "build" / "summary.json").exists() and printed(notebook) == ""


@pytest.mark.parametrize("options", [{"scale": "smoke"}, {"scale": "toy", "recompute": True}])
def test_only_a_run_with_default_parameters_is_stored(two_notebooks, options):
    before = (two_notebooks / "notebooks" / "01_good.ipynb").read_bytes()
    with pytest.raises(DataError, match="default parameters"):
        reproduce.reproduce(**options, store=True)
    assert (two_notebooks / "notebooks" / "01_good.ipynb").read_bytes() == before


BOOKS = [Path(name) for name in ("00_start.ipynb", "01_data.ipynb", "09_data.ipynb", "x.ipynb")]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ([], ["00_start", "01_data", "09_data"]),
        (["01"], ["01_data"]),
        (["9", "0"], ["00_start", "09_data"]),
        (["start"], ["00_start"]),
        (["09_data.ipynb", "09"], ["09_data"]),
        (["data"], ["01_data", "09_data"]),
    ],
)
def test_selection_by_number_or_name(only, expected):
    assert [path.stem for path in reproduce.select(BOOKS, only)] == expected


@pytest.mark.parametrize("wanted", ["7", "x", "dat", ""])
def test_an_unknown_notebook_lists_the_choices(wanted):
    with pytest.raises(DataError, match="There are: 00_start, 01_data, 09_data"):
        reproduce.select(BOOKS, ["01", wanted])


def test_the_command_says_so_by_its_status(monkeypatch, capsys):
    good = reproduce.NotebookRun("01_good", 1.0, ["a.pdf"])
    bad = reproduce.NotebookRun("02_bad", 1.0, [], reproduce.Failure("KernelDied: "))
    calls = []

    def fake(scale, only, recompute, store):
        calls.append((scale, list(only), recompute, store))
        return [good, bad] if recompute else [good]

    monkeypatch.setattr(reproduce, "reproduce", fake)
    assert cli.main(["reproduce"]) == 0
    assert cli.main(["reproduce", "--scale", "smoke", "--only", "1", "9", "--recompute"]) == 1
    assert cli.main(["reproduce", "--store"]) == 0
    assert calls == [
        ("toy", [], False, False),
        ("smoke", ["1", "9"], True, False),
        ("toy", [], False, True),
    ]
    assert "failed" in capsys.readouterr().out


def test_an_empty_notebooks_folder_is_one_clear_error(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    assert cli.main(["reproduce"]) == 2
    assert "there is no notebook to run" in capsys.readouterr().err
