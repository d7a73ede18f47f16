"""`evis measure`: lists its groups, measures what was asked for, one line for what is wrong."""

import pandas as pd
import pytest

from evis import cli
from evis.companion import held_out, measured, series
from evis.papers.eigencluster import clip_terms, experiments, training_terms
from evis.papers.pmvis import experiments as pmvis
from evis.papers.pmvis import quality

EMPTY = pd.DataFrame(columns=["row", "seed", "AP"])


@pytest.fixture
def asked(monkeypatch):
    """What would have been measured: (rows, seeds, held-out videos, shelf, jobs)."""
    calls = []

    def measure(chosen, seeds, videos, shelf, jobs):
        calls.append(([row.name for row in chosen], seeds, videos, shelf, jobs))
        lines = [(row.name, seed, 40.0 + seed) for row in chosen for seed in seeds or row.seeds]
        return pd.DataFrame(lines, columns=["row", "seed", "AP"])

    monkeypatch.setattr(series, "measure", measure)
    return calls


def test_without_a_group_it_lists_them(asked, capsys):
    assert cli.main(["measure"]) == 0 and not asked
    out = capsys.readouterr().out
    assert all(group in out for group in experiments.GROUPS)


def test_rows_without_a_group_are_refused(asked, capsys):
    assert cli.main(["measure", "--rows", "boxes"]) == 2 and not asked
    assert "--rows needs a group" in capsys.readouterr().err


def test_all_metrics_but_class_agnostic_ones_and_halves_are_printed(asked, capsys, monkeypatch):
    lines = [
        {"row": "TEL", "seed": 0, "first": 0} | dict.fromkeys(held_out.TEST.scoring.metrics, 1.0)
    ]
    monkeypatch.setattr(series, "measure", lambda *_, **__: pd.DataFrame(lines))
    assert cli.main(["measure", "components", "--rows", "TEL"]) == 0
    header = capsys.readouterr().out.splitlines()[1].split()
    assert header == ["seeds", *held_out.SCORES, "mIoU", "unsteadiness"]


def test_a_group_s_rows_are_measured_and_their_means_printed(asked, capsys):
    arguments = ["--size", "tiny", "--seeds", "0", "3", "--rows", "masks", "boxes", "--jobs", "2"]
    assert cli.main(["measure", "comparison", *arguments]) == 0
    assert asked == [(["masks", "boxes"], [0, 3], held_out.TEST, None, 2)]
    first, *table = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{held_out.TEST}: means over seeds, percent")
    assert [line.split() for line in table[-2:]] == [
        ["masks", "2", "41.5"],
        ["boxes", "2", "41.5"],
    ]


@pytest.mark.parametrize(
    ("group", "size"), [("comparison", "tiny_s"), ("pmvis toy-ovis", "tiny"), ("cutler", "tiny_s")]
)
def test_without_a_size_it_is_the_paper_s_first(group, size, monkeypatch):
    found = []
    monkeypatch.setattr(series, "measure", lambda rows, *_, **__: found.extend(rows) or EMPTY)
    assert cli.main(["measure", group]) == 0
    assert {row.stages[-1].model for row in found} == {size}


def test_groups_are_taken_together_each_with_its_seeds(asked):
    assert cli.main(["measure", "components", "eigenvalues", "--generalisation", "--again"]) == 0
    names = ["TEL", "QCC", *experiments.ROWS["eigenvalues"]]
    sets = [held_out.UNSEEN, held_out.CROWDED]
    assert asked == [(names, None, each, measured.again(), 1) for each in sets]


def test_choices_are_made_on_other_videos(asked):
    assert cli.main(["measure", "components", "--validation", "--rows", "TEL"]) == 0
    assert [call[2] for call in asked] == [held_out.VALIDATION]


def test_what_the_losses_say_of_clips_is_measured_and_printed_as_it_is(asked, capsys):
    assert cli.main(["measure", "components", "--clips", "--rows", "TEL"]) == 0
    assert [call[2] for call in asked] == [clip_terms.CLIPS]
    assert "percent" not in capsys.readouterr().out


def test_terms_are_kept_of_what_was_trained(asked, monkeypatch):
    trained = []
    monkeypatch.setattr(training_terms, "row", lambda run, shelf: trained.append(run))
    monkeypatch.setattr(measured, "committed", lambda run: len(run.stages) == 1)
    arguments = ["--rows", "stage one only", "TK", "--seeds", "1", "--terms"]
    assert cli.main(["measure", "comparison", *arguments]) == 0
    assert trained == [experiments.group("comparison", "tiny_s")["TK"].seeded(1)]


@pytest.mark.parametrize(
    "given",
    [
        ("--size", "tiny"),
        ("--seeds", "0"),
        ("--validation",),
        ("--generalisation",),
        ("--clips",),
        ("--terms",),
    ],
)
def test_what_goes_with_training_is_refused_for_groups_of_labels(given, monkeypatch, capsys):
    counted = []
    monkeypatch.setattr(quality, "measure", lambda *asked: counted.append(asked) or EMPTY)
    (group,) = pmvis.COUNTS
    with pytest.raises(SystemExit):
        cli.main(["measure", group, *given])
    assert f"{given[0]} goes with what is trained, not with '{group}'" in capsys.readouterr().err
    assert not counted
    assert cli.main(["measure", group, "--again", "--jobs", "2"]) == 0 and counted


@pytest.mark.parametrize(
    "arguments, problem, remedy",
    [
        (["nonsense"], "no group of experiments is called 'nonsense'", "comparison"),
        (["comparison", "--size", "r50"], "no experiment is made at size 'r50'", "tiny_s"),
        (["comparison", "--rows", "boxes", "TEL"], "no row TEL", "TEL + QCC"),
    ],
)
def test_bad_input_is_one_line(asked, arguments, problem, remedy, capsys):
    assert cli.main(["measure", *arguments]) == 2 and not asked
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith("evis: ") and problem in line and remedy in line and not out


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--seeds", "-1"], ["--rows"]])
def test_wrong_usage(asked, arguments, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["measure", "comparison", *arguments])
    assert left.value.code == 2 and not asked
    assert "usage: " in capsys.readouterr().err


def test_its_examples_name_groups(capsys):
    with pytest.raises(SystemExit):
        cli.main(["measure", "--help"])
    examples = capsys.readouterr().out.partition("examples:\n")[2].strip().splitlines()
    for example in examples:
        options = cli.app.parser().parse_args(example.partition("#")[0].split()[1:])
        assert options.groups and set(options.groups) <= set(experiments.GROUPS)


def test_one_kind_of_held_out_videos_at_a_time(asked, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["measure", "comparison", "--validation", "--clips"])
    assert left.value.code == 2 and not asked
    assert "usage: " in capsys.readouterr().err
