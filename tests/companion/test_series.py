"""Series measure what the shelf lacks, once, and their table is what the shelf has."""

from dataclasses import replace

import pytest

from evis.companion import measured, series, store
from evis.companion.held_out import TEST, HeldOut
from evis.models import load
from evis.papers.eigencluster import clip_terms, experiments

SMALL = HeldOut("smoke", 4, 3)

VIDEOS = 4  # that are trained on
SEEDS = (0, 1)
NAMES = ["stage one only", "boxes"]


def brief(names=NAMES):
    """Rows of the smallest size, in two steps a stage."""
    rows = [experiments.group("comparison", "tiny_s")[name] for name in names]
    return [replace(r, stages=tuple(map(_short, r.stages)), videos=VIDEOS) for r in rows]


def _short(recipe):
    return replace(recipe, steps=2, batch=2, micro_batch=2, warm_up_steps=1)


def measure(shelf, names=NAMES, seeds=SEEDS, **options):
    return series.measure(brief(names), seeds, SMALL, shelf, progress=False, **options)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="module")
def found(shelf):
    return measure(shelf)


@pytest.mark.slow
def test_the_table_has_a_line_a_row_and_unit(found, shelf):
    lines = [(name, seed, seed) for name in NAMES for seed in SEEDS]
    assert list(found[["row", "seed", "first"]].itertuples(index=False, name=None)) == lines
    assert len(store.rows(shelf / "results")) == len(lines)
    metrics = measured.find(brief()[1].seeded(1), SMALL, shelf).metrics
    line = found[(found["row"] == "boxes") & (found["seed"] == 1)].iloc[0]
    assert list(found.columns) == ["row", "seed", "first", *metrics]
    assert [line[name] for name in metrics] == [100 * value for value in metrics.values()]


def test_the_table_leaves_out_what_is_not_measured(found, shelf):
    more = brief(["TK", *NAMES])
    assert series.table(more, (0, 1, 2), SMALL, shelf).equals(found)
    for nothing in (
        series.table(more, (3,), SMALL, shelf),
        series.table(more[:1], SEEDS, SMALL, shelf),
        series.table(more, SEEDS, replace(SMALL, seed=4), shelf),
        series.table([replace(r, videos=None) for r in more], SEEDS, SMALL, shelf),
    ):
        assert nothing.empty and list(nothing.columns)[:2] == ["row", "seed"]


def test_only_what_is_lacking_is_measured(found, shelf, monkeypatch):
    asked = []
    row = measured.row

    def spy(run, *others, **options):
        asked.append((run.name, run.seed))
        return row(run, *others, **options)

    monkeypatch.setattr(measured, "row", spy)
    assert measure(shelf).equals(found) and not asked
    key = measured.find(brief()[1].seeded(1), SMALL, shelf).key
    (lost,) = (shelf / "results").glob(f"*{key}.json")
    lost.unlink()
    assert measure(shelf).equals(found)
    assert asked == [("boxes", 1)]


@pytest.mark.slow
def test_two_processes_make_the_rows_of_one(found, tmp_path):
    """Rows of a unit share its stage one, which is trained once."""
    assert measure(tmp_path, jobs=2).equals(found)
    assert len(list((tmp_path / "runs").iterdir())) == 4


@pytest.mark.slow
def test_units_that_share_a_stage_one_are_shown_by_it(tmp_path):
    rows = [replace(row, units_of_first=2) for row in brief()]
    made = series.measure(rows, (0, 1, 2), SMALL, tmp_path, jobs=2, progress=False)
    lines = list(made[["row", "seed", "first"]].itertuples(index=False, name=None))
    of_boxes = [("boxes", 0, 0), ("boxes", 1, 0), ("boxes", 2, 1)]
    assert lines == [("stage one only", 0, 0), ("stage one only", 2, 1), *of_boxes]
    runs = sorted(path.name.rsplit("-", 1)[0] for path in (tmp_path / "runs").iterdir())
    one, two = ("toy.eigencluster.stage1", (0, 1)), ("toy.boxinst", (0, 1, 2))
    assert runs == sorted(f"{name}-{seed}" for name, seeds in (one, two) for seed in seeds)


def test_stages_are_made_once_in_order_and_rows_as_soon_as_they_can(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(measured, "trained", lambda run, *_, **__: made.append((0, run)))
    monkeypatch.setattr(measured, "row", lambda run, *_, **__: made.append((1, run)))
    rows = brief(["boxes", "TK", "more steps", "TEL + QCC"])
    series.measure(rows, SEEDS, SMALL, tmp_path, progress=False)
    lengths = [len(run.stages) for _, run in made]
    assert lengths == [1] * 2 + [2] * 4 + [3] * 4
    assert [is_row for is_row, _ in made] == [0] * 2 + [1] * 8
    assert len({run.stages for _, run in made}) == len(made)


def test_every_experiment_has_units_of_its_own(found, shelf):
    alone, boxes = brief()
    rows = [replace(alone, seeds=(1,)), replace(boxes, seeds=(0, 1, 2))]
    lines = series.table(rows, held_out=SMALL, shelf=shelf)[["row", "seed"]]
    expected = [("stage one only", 1), ("boxes", 0), ("boxes", 1)]
    assert list(lines.itertuples(index=False, name=None)) == expected


def test_every_videos_score_is_a_column(found, shelf):
    scores = series.per_video(brief(), SEEDS, SMALL, shelf)
    assert list(scores.index) == list(zip(found["row"], found["seed"], strict=True))
    assert scores.shape == (4, SMALL.videos)
    row = measured.find(brief()[1].seeded(1), SMALL, shelf)
    assert scores.loc[("boxes", 1)].tolist() == [100 * value for value in row.per_video]
    assert series.per_video(brief(["TK"]), SEEDS, SMALL, shelf).empty


@pytest.mark.slow
def test_at_smoke_scale_rows_are_made_each_time_and_kept_nowhere(monkeypatch):
    made, save, before = [], store.save, store.rows()
    monkeypatch.setattr(store, "save", lambda row, folder: made.append(row) or save(row, folder))
    rows = experiments.group("comparison", "tiny_s")
    for _ in range(2):
        found = series.at_scale("smoke", [rows["boxes"]], seeds=experiments.SEARCH_SEEDS)
        assert list(zip(found["row"], found["seed"], strict=True)) == [("boxes", 0)]
    assert len(made) == 2 and made[0].metrics == made[1].metrics
    assert [stage["steps"] for stage in made[0].recipe["stages"]] == [2000, 1]
    assert made[0].dataset == "toy-ytvis19 smoke (4 videos, seed 2)"
    assert store.rows() == before


def test_at_other_scales_the_stored_rows_are_shown(monkeypatch):
    asked = []
    monkeypatch.setattr(series, "measure", lambda *given: asked.append(given))
    rows = list(experiments.group("comparison", "tiny").values())
    shown = series.at_scale("toy", rows)
    assert shown.equals(series.table(rows)) and not asked
    assert series.at_scale("toy", rows, recompute=True) is None
    assert asked == [(rows, None, TEST, measured.again())]


@pytest.mark.slow
def test_clips_are_measured_with_the_same_weights_and_not_in_percent(shelf, found):
    """`found` has trained these rows; on clips Q is 1 or more, and no share."""
    clips = replace(clip_terms.CLIPS, videos=12)
    before = set((shelf / "runs").iterdir())
    rows = series.measure(brief(["boxes"]), SEEDS, clips, shelf, progress=False)
    assert set((shelf / "runs").iterdir()) == before
    assert list(rows.columns) == ["row", "seed", "first", "Q", "L_eig", "relative L_eig"]
    assert rows["Q"].between(1, 10).all() and (rows["relative L_eig"] <= 1).all()
    weights = measured.trained(brief(["boxes"])[0].seeded(1), measured.Place(shelf, progress=False))
    by_hand = clips.score(load(weights), progress=False)  # on one thread, as rows are
    assert rows[rows["seed"] == 1].iloc[0, 3:].to_dict() == pytest.approx(by_hand)
