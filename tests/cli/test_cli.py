"""The command line: fast help, one clear line for bad input, exit statuses that scripts can use."""

import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from evis import __version__, cli
from evis.companion import store
from evis.data import catalog, toy
from evis.data.errors import DataError
from evis.inference import Options


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    return tmp_path


def test_help_imports_nothing_heavy():
    script = (
        "import sys, evis.cli\n"
        "try: evis.cli.main(['--help'])\n"
        "finally: print(sorted({'torch', 'numpy', 'pandas', 'papermill'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_evis_is_the_command():
    done = subprocess.run([sys.executable, "-m", "evis", "--version"], capture_output=True)
    assert (done.returncode, done.stdout.decode()) == (0, f"evis {__version__}\n")
    done = subprocess.run([sys.executable, "-m", "evis"], capture_output=True, text=True)
    assert done.returncode == 2 and "COMMAND" in done.stderr


@pytest.mark.parametrize("printed", [["results", "--json"], ["data", "check"]])
def test_a_reader_that_has_enough_is_no_error(printed):
    """As `evis results | head` is, whether or not more is printed than a pipe holds."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "evis", *printed]
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


COMMANDS = ["reproduce", "measure", "results", "train", "predict", "evaluate"]
COMMANDS += ["data toy", "data check"]
COMMANDS += [f"label {way}" for way in ("none", "motion", "boxes", "points")]


def help_of(command, capsys) -> str:
    with pytest.raises(SystemExit) as left:
        cli.main([*command.split(), "--help"])
    assert left.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_examples_that_parse(command, capsys):
    text = help_of(command, capsys).partition("examples:\n")[2]
    examples = [line.partition("#")[0] for line in text.replace("\\\n", "").strip().splitlines()]
    assert len(examples) >= 2 or command == "data toy"
    for example in examples:
        before, _, arguments = example.partition("evis ")
        assert before.strip() in ("", "torchrun --nproc-per-node 8 -m")
        assert arguments.startswith(command)
        cli.app.parser().parse_args(arguments.split())


def test_help_says_what_stands_for_nothing(capsys):
    """What the signatures say, and what the library then takes."""
    assert "steps a checkpoint; default: 200" in help_of("train", capsys)
    options = Options()
    shown = help_of("predict", capsys)
    assert f"tracks a video; default: {options.top}" in shown
    given = cli.app.parser().parse_args(["predict", "v", "--weights", "w", "--out", "o"])
    assert (given.top, given.join, given.class_agnostic) == (
        options.top,
        options.join,
        options.class_agnostic,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["reproduce", "--scale", "huge"],
        ["data"],
        ["data", "toy", "toy-davis"],
        ["data", "toy", "toy-davis", "--root", "x", "--videos", "0"],
        ["data", "toy", "toy-davis", "--root", "x", "--videos", "1.5"],
        ["data", "toy", "toy-davis", "--root", "x", "--videos", "1000001"],
        ["label", "none", "v", "--out", "o", "--features", "a/dino", "--size", "8193"],
        ["data", "toy", "toy-davis", "--root", "x", "--seed", "9" * 5000],
        ["data", "check", "ovis"],
        ["data", "check", "--root", "x"],
        ["data", "check", "--frames", "x"],
        ["data", "check", "mine.json", "--root", "x"],
        ["data", "check", "ovis", "--root", "x", "--frames", "x"],
        *[
            ["predict", "v", "--weights", "w", "--out", "o", *bad]
            for bad in (
                *[("--threshold", text) for text in ("nan", "inf", "-1", "2", "")],
                *[("--jobs", text) for text in ("0", "-1", "1000000000")],
                *[("--top", text) for text in ("0", "-1", "1e3", "9" * 30)],
                *[("--window", text) for text in ("0", "nan", "9" * 30)],
                *[("--overlap", text) for text in ("-1", "9" * 30)],
                ("--overlap", "4"),
                ("--window", "4", "--overlap", "4"),
                ("--device", "tpu"),
            )
        ],
        *[
            ["train", "maskfree", "--folder", "x", *bad]
            for bad in (
                *[("--threads", text) for text in ("0", "-1", "1000000000")],
                *[("--workers", text) for text in ("-1", "1000000000")],
                *[("--save-every", text) for text in ("0", "-1", "nan")],
                ("--log-every", "0"),
                ("--scale", "toy", "--backbone", "r101"),
            )
        ],
    ],
)
def test_wrong_usage_exits_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert "usage: evis" in capsys.readouterr().err


def raising(error):
    def function(*arguments, **named):
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DataError("no such set", file="a", remedy="Try b"), 2, "file a: no such set. Try b"),
        (
            PermissionError(13, "Permission denied", "/x"),
            2,
            "'/x' can't be opened or made: Permission denied. Check the path",
        ),
        (OSError(28, "No space left on device", "/"), 2, "'/' can't be used: No space left on"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            ModuleNotFoundError("No module named 'safetensors'", name="safetensors"),
            2,
            "No module named 'safetensors'. pip install 'evis[train]' brings the rest",
        ),
    ],
)
def test_expected_errors_are_one_line(monkeypatch, capsys, error, status, line):
    monkeypatch.setattr(toy, "build", raising(error))
    assert cli.main(["data", "toy", "toy-davis", "--root", "x"]) == status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("evis: ") and err.count("\n") == 1 and line in err


def test_a_name_too_long_for_any_file_is_one_line(capsys):
    arguments = ["train", "boxinst", "--folder", "x", "--data", f"n={'a' * 300}"]
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("evis: ") and err.count("\n") == 1 and "File name too long" in err


def test_a_defect_of_evis_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(toy, "build", raising(RuntimeError("defect")))
    with pytest.raises(RuntimeError, match="defect"):
        cli.main(["data", "toy", "toy-davis", "--root", "x"])


def test_toy_passes_its_options_on(monkeypatch, capsys, tmp_path):
    calls = []

    def build(name, root, videos=None, seed=0):
        calls.append((name, root, videos, seed))
        return SimpleNamespace(videos=[1, 2])

    monkeypatch.setattr(toy, "build", build)
    assert cli.main(["data", "toy", "toy-ovis", "--root", str(tmp_path)]) == 0
    options = ["--videos", "2", "--seed", "5"]
    assert cli.main(["data", "toy", "toy-ovis", "--root", str(tmp_path), *options]) == 0
    assert calls == [("toy-ovis", tmp_path, None, 0), ("toy-ovis", tmp_path, 2, 5)]
    assert f"toy-ovis: 2 videos in {tmp_path}" in capsys.readouterr().out


@pytest.mark.parametrize(("complete", "status"), [(True, 0), (False, 1)])
def test_check_prints_what_it_found(monkeypatch, capsys, complete, status):
    found = SimpleNamespace(lines=["train: 3 videos", "valid: missing"], complete=complete)
    monkeypatch.setattr(catalog, "check", lambda name, root: found)
    assert cli.main(["data", "check", "ytvis19", "--root", "x"]) == status
    assert capsys.readouterr().out == "train: 3 videos\nvalid: missing\n"


def test_check_alone_lists_the_known_sets(capsys):
    assert cli.main(["data", "check"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed == list(catalog.SETS) and len(listed) >= 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["toy", "nonsense", "--root", "x"],
        ["check", "nonsense", "--root", "x"],
        ["check", "nonsense"],
    ],
)
def test_an_unknown_set_is_one_line(capsys, arguments):
    assert cli.main(["data", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "nonsense" in error


def test_results_of_an_empty_store(root, capsys):
    assert cli.main(["results"]) == 0
    assert "No measured results yet" in capsys.readouterr().out
    assert cli.main(["results", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def stored(recipe, metrics, commit="0123456789abcdef", dirty=False, **machine) -> str:
    """A row in the store; -> its key."""
    machine = {"platform": "x", "cpu": "AMD EPYC", "cores": 2, "device": "cpu"} | machine
    date = "2026-01-02T03:04:05+00:00"
    row = store.ResultRow(recipe, "toy-ovis", 3, metrics, commit, dirty, {}, machine, 1.5, date)
    store.save(row)
    return row.key


def listed(capsys) -> list[str]:
    assert cli.main(["results"]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_result_is_a_line(root, capsys):
    key = stored({"name": "minvis", "steps": 7}, {"AP": 1 / 3, "AP_S": math.nan})
    (line,) = listed(capsys)
    assert line.split("  ") == [
        key, "2026-01-02", "01234567", "AMD EPYC", "toy-ovis", "seed 3", "minvis steps=7",
        "AP 0.3333", "AP_S nan",
    ]  # fmt: skip


def test_stages_are_named_by_the_last_and_told_apart_by_the_key(root, capsys):
    stages = [{"name": "one", "model": "tiny"}, {"name": "two", "model": "tiny_s", "alpha": 1.0}]
    recipes = [{"name": "toy training", "stages": chain} for chain in (stages, stages[1:])]
    keys = {stored(recipe, {"AP": 0.5}) for recipe in recipes}
    parts = [line.split("  ") for line in listed(capsys)]
    assert {line[0] for line in parts} == keys and len(keys) == 2
    assert [line[6:] for line in parts] == [["toy training: two tiny_s", "AP 0.5"]] * 2


def test_a_listed_result_says_what_it_was_measured_on(root, capsys):
    stored({"name": "1"}, {}, device="NVIDIA H200")
    stored({"name": "2"}, {}, cpu="Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz")
    stored({"name": "3"}, {}, commit=None, dirty=None)
    stored({"name": "4"}, {}, dirty=True)
    assert [line.split("  ")[2:4] for line in listed(capsys)] == [
        ["01234567", "NVIDIA H200"],
        ["01234567", "Intel(R) Xeon(R) Platin…"],
        ["no commit", "AMD EPYC"],
        ["01234567+", "AMD EPYC"],
    ]


def test_a_listed_result_fits_its_line(root, capsys):
    metrics = {f"a metric, {number}": number for number in range(9)}
    stored({"name": "wide", "sets": ["toy-coco"] * 9}, metrics)
    (line,) = listed(capsys)
    *parts, last = line.split("  ")
    assert len(line) == 160 and last.endswith("…")
    assert parts[6] == "wide sets=['toy-coco', 'toy-coco', 'toy-coco', …"
    assert parts[7:] == [f"a metric, {number} {number}" for number in range(len(parts) - 7)]


def test_whole_results_are_json(root, capsys):
    recipe = {"name": "minvis", "steps": 7}
    row = store.measure(recipe, "toy-ovis", 3, lambda: {"AP": 1 / 3, "AP_S": math.nan})
    assert cli.main(["results", "--json"]) == 0
    (whole,) = json.loads(capsys.readouterr().out)
    assert whole["metrics"] == {"AP": 1 / 3, "AP_S": None}
    assert whole["key"] == row.key and whole["recipe"] == recipe


@pytest.mark.parametrize("name", ["wide…", "caf\udce9"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_printing_never_fails(root, name, encoding):
    stored({"name": name}, {f"a metric, {number}": number for number in range(9)})
    done = subprocess.run(
        [sys.executable, "-m", "evis", "results"],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        encoding=encoding,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert name.encode(encoding, "backslashreplace").decode(encoding) in done.stdout


def test_a_broken_store_is_one_line(root, capsys):
    folder = root / "data" / "results"
    folder.mkdir(parents=True)
    (folder / "foreign.json").write_text("{}")
    assert cli.main(["results"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "foreign.json" in error
