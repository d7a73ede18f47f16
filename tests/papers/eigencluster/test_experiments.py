"""Experiments differ from what they are compared with in what their name says, and no more."""

import pytest

from evis.companion import measured, paired, published, store
from evis.data.errors import DataError
from evis.models import SIZES as MODELS
from evis.papers.eigencluster import experiments
from evis.papers.eigencluster.beyond import VARIANTS
from evis.papers.eigencluster.experiments import (
    BETA,
    BETAS,
    BOTH,
    CONTROL,
    GROUPS,
    PLACEBOS,
    Q_FACTOR,
    Q_PLACEBO,
    QCC,
    SEARCH_SEEDS,
    SIZES,
    TEL,
    TEL_IN_TWO,
    TEL_MEAN_FACTOR,
    TEL_RELEASED,
    TEL_SUM,
    TEL_SUM_FACTOR,
    TK,
    TK_PRINTED,
)
from evis.papers.eigencluster.settings import RELEASED
from evis.papers.eigencluster.temporal import SCHEMES

ROWS = [(size, group) for size in SIZES.values() for group in GROUPS]
STAGE3 = {  # what stage three has otherwise than that of TEL + QCC
    "more steps": {"alpha": 0, "beta": 0},
    "TEL": {"alpha": 0},
    "TEL, sum": {"alpha": 0, "change": "sum"},
    "TEL, released spectrum": {"alpha": 0, "spectrum": "released"},
    "QCC": {"beta": 0},
    "Y = 2": {"eigenvalues": 2},
    "Y = 4": {"eigenvalues": 4},
    "beta = 1": {"beta": 1},
    "S = 2": {"scale": 2},
    "S = 8": {"scale": 8},
    "more steps, at once": {"alpha": 0, "beta": 0.0, "warm_up_steps": 0},
    "TEL, at once": {"alpha": 0, "warm_up_steps": 0},
    "TEL + QCC, at once": {"warm_up_steps": 0},
}


def all_rows(size):
    return {name: row for group in GROUPS for name, row in experiments.group(group, size).items()}


def differing(recipe, other):
    """Names of values, those of the loss by their own, that differ; words aside."""
    one, two = ({**r.to_json(), **r.to_json()["settings"]} for r in (recipe, other))
    words = ("settings", "title", "source", "unknown")
    names = {*one, *two} - {*words}
    return {name: one.get(name) for name in names if one.get(name) != two.get(name)}


@pytest.mark.parametrize("name, changes", STAGE3.items())
@pytest.mark.parametrize("size", SIZES.values())
def test_stage_three_differs_in_what_the_row_says(size, name, changes):
    rows = all_rows(size)
    *before, last = rows[name].stages
    *same, both = rows[BOTH].stages
    beta = {"beta": BETA["sum"]} if name == TEL_SUM and BETA["sum"] != BETA["mean"] else {}
    assert before == same and differing(last, both) == changes | beta


@pytest.mark.parametrize("size", SIZES.values())
def test_tel_is_the_mean_with_its_beta(size):
    settings = {name: row.stages[-1].settings for name, row in all_rows(size).items()}
    assert (settings[TEL].change, settings[TEL].beta) == ("mean", BETA["mean"])
    assert (settings[TEL_SUM].change, settings[TEL_SUM].beta) == ("sum", BETA["sum"])


@pytest.mark.parametrize("size", SIZES.values())
def test_beta_is_scanned_for_the_mean_and_the_sum_on_search_seeds(size):
    rows, tel = experiments.group("beta scan", size), all_rows(size)[TEL]
    found = {
        (row.stages[-1].settings.change, row.stages[-1].settings.beta) for row in rows.values()
    }
    assert found == {(change, beta) for change in ("mean", "sum") for beta in BETAS}
    for row in rows.values():
        assert row.seeds == SEARCH_SEEDS and row.stages[:-1] == tel.stages[:-1]
        assert set(differing(row.stages[-1], tel.stages[-1])) <= {"change", "beta"}
    assert all((change, beta) in found for change, beta in BETA.items())  # chosen among them


@pytest.mark.parametrize("size", SIZES.values())
def test_no_stage_three_is_without_its_own_check(size):
    """Those that go on from `TK`: in STAGE3, a placebo, a beta that is tried, beyond the paper."""
    rows = all_rows(size)
    three = {name for name, row in rows.items() if row.stages[:-1] == rows[TK].stages}
    others = {name for g in ("placebos", "beta scan", "beyond") for name in experiments.ROWS[g]}
    assert three == {*STAGE3, BOTH, *others}


@pytest.mark.parametrize("size", SIZES.values())
def test_placebos_are_the_control_with_a_constant(size):
    rows, control = all_rows(size), all_rows(size)[CONTROL].stages[-1]
    own = control.settings

    def times(factor, *weights):
        return {weight: pytest.approx(factor * getattr(own, weight)) for weight in weights}

    expected = {
        TEL: times(TEL_MEAN_FACTOR, "temporal_factor"),
        TEL_SUM: times(TEL_SUM_FACTOR, "temporal_factor"),
        TEL_RELEASED: {},
        QCC: times(Q_FACTOR, "mask_weight", "dice_weight"),
    }
    assert {
        term: differing(rows[placebo].stages[-1], control) for term, placebo in PLACEBOS.items()
    } == expected
    assert differing(rows[Q_PLACEBO].stages[-1], control) == {"q_placebo": Q_FACTOR}
    assert {*PLACEBOS.values(), Q_PLACEBO} == {CONTROL, *experiments.ROWS["placebos"]}


@pytest.mark.parametrize("size", SIZES.values())
def test_beyond_the_paper_a_term_takes_the_place_of_tel_and_qcc(size):
    rows, control = experiments.group("beyond", size), all_rows(size)[CONTROL].stages[-1]
    tenfold = {"temporal_factor": pytest.approx(10 * control.settings.temporal_factor)}
    expected = {name: {"scheme": name} for name in VARIANTS}
    for name in ("TEL as a loss", "3D pairwise"):
        expected[f"{name} x 10"] = {"scheme": name} | tenfold
    expected["soft QCC"] = {"alpha": 1, "kmeans": "soft"}
    assert {name: differing(row.stages[-1], control) for name, row in rows.items()} == expected


@pytest.mark.parametrize("size", SIZES.values())
def test_choices_are_made_on_seeds_that_nothing_is_reported_on(size):
    reported = {seed for group in GROUPS for seed in experiments.seeds(group, size)}
    reported -= set(experiments.seeds("beta scan", size))
    assert reported and not reported & set(SEARCH_SEEDS)
    row = all_rows(size)[TK]
    ones = ({row.seeded(seed).stages[0] for seed in seeds} for seeds in (reported, SEARCH_SEEDS))
    assert not set.intersection(*ones)


@pytest.mark.parametrize("size", SIZES.values())
def test_stage_two_differs_in_what_the_row_says(size):
    rows = experiments.group("comparison", size)
    one, two = rows[TK].stages
    assert rows[BOTH].stages[:2] == rows[CONTROL].stages[:2] == (one, two)
    assert rows["stage one only"].stages == rows["boxes"].stages[:1] == (one,)
    found = {name: differing(rows[name].stages[1], two) for name in ("boxes", "masks")}
    assert found == {
        "boxes": {"name": "toy.boxinst", "temporal_factor": 0.0},
        "masks": {"name": "toy.mask2former", "supervision": "mask"},
    }


@pytest.mark.parametrize("size", SIZES.values())
def test_the_released_rows_differ_in_the_flavour_of_the_loss(size):
    own, rows = experiments.group("comparison", size), experiments.group("released", size)
    assert set(rows) == {f"{name}, released" for name in (TK, CONTROL, BOTH)}
    for name, row in rows.items():
        for stage, other in zip(row.stages, own[name.split(",")[0]].stages, strict=True):
            still = stage.mixture == (("stills", 1.0),)
            changes = {} if still else dict(RELEASED)
            changes.pop("tk_mean", None)  # of all toy rows
            if not still and stage.settings.beta:  # as released, whatever was chosen for the mean
                changes |= {"beta": 0.16} if BETA["mean"] != 0.16 else {}
            assert differing(stage, other) == changes


@pytest.mark.parametrize("size", SIZES.values())
def test_table_ii_is_covered(size):
    printed = set(published.tables("eigen-cluster-vis", 2)["row_label"])
    rows = experiments.group("schemes", size)
    eq_12 = rows.pop(TK_PRINTED)
    own = {"Baseline (No Matching)", "Temporal KNN-Matching (TK)"}  # "boxes" and "TK"
    assert {*rows, *own} == printed == set(SCHEMES)
    one, two = experiments.group("comparison", size)[TK].stages
    assert two.settings.tk_mean == "matches"  # as schemes are
    assert differing(eq_12.stages[1], two) == {"tk_mean": "pixels", "temporal_factor": 1.0}
    for name, row in rows.items():
        assert row.stages[0] == one
        own = {"beta": BETA["mean"]} if name == TEL_IN_TWO else {"scheme": name}
        assert differing(row.stages[1], two) == own


@pytest.mark.parametrize("size", SIZES.values())
def test_without_stage_one_the_rest_is_the_same(size):
    with_it = experiments.group("comparison", size)
    rows = experiments.group("from nothing", size)
    assert set(rows) == {f"{name}, no stage one" for name in with_it if name != "stage one only"}
    for name, row in rows.items():
        first, *others = with_it[name.removesuffix(", no stage one")].stages[1:]
        assert list(row.stages[1:]) == others
        assert differing(row.stages[0], first) == {"init": None}
        assert all(role == "videos" for stage in row.stages for role, _ in stage.mixture)


@pytest.mark.parametrize("size, group", ROWS)
def test_a_chain_starts_from_nothing_and_goes_on(size, group):
    for name, row in experiments.group(group, size).items():
        assert row.name == name
        first, *others = row.stages
        assert first.init is None and all(stage.init is not None for stage in others)
        assert {stage.model for stage in row.stages} == {size}


def test_a_unit_of_the_smallest_size_is_a_whole_chain():
    for row in all_rows("tiny_s").values():
        assert {stage.seed for stage in row.seeded(5).stages} == {5}


@pytest.mark.parametrize("size", ["tiny", "tiny_l"])
def test_of_larger_sizes_three_units_go_on_from_one_stage_one(size):
    for name, row in all_rows(size).items():
        own = name.endswith("no stage one")
        for unit in row.seeds:
            first, *others = row.seeded(unit).stages
            assert first.seed == (unit if own else unit // 3)
            assert all(stage.seed == unit for stage in others)
    comparison = experiments.group("comparison", size).values()
    first = [row.seeded(unit).stages[0] for row in comparison for unit in row.seeds]
    assert len(set(first)) == 3  # of all rows together


def test_rows_with_verdicts_have_the_most_units():
    counts = {group: len(experiments.seeds(group, "tiny_s")) for group in GROUPS}
    assert set(counts.values()) == {len(SEARCH_SEEDS), paired.LEAST_SEEDS, 11}
    verdicts = {name for name in all_rows("tiny_s") if len(all_rows("tiny_s")[name].seeds) == 11}
    parts = {TK, CONTROL, TEL, TEL_SUM, TEL_RELEASED, QCC, BOTH, "masks", "boxes"}
    parts |= {"stage one only", *PLACEBOS.values(), Q_PLACEBO, *experiments.ROWS["from nothing"]}
    assert verdicts == parts
    for size in ("tiny", "tiny_l"):
        assert len(experiments.seeds("comparison", size)) == 9


@pytest.mark.parametrize("size", SIZES.values())
def test_names_and_keys_are_their_rows_alone(size):
    """But for the scan's rows of the beta that was chosen: TEL, and its sum."""
    groups = [experiments.group(group, size) for group in GROUPS]
    assert len(all_rows(size)) == sum(map(len, groups))
    keys = {store.key(measured.content(row.seeded(1)), "", 1) for row in all_rows(size).values()}
    assert len(keys) == len(all_rows(size)) - 2


def test_sizes_stand_for_the_papers_backbones_from_small_to_large():
    assert list(SIZES) == ["r50", "r101", "swin_l"] and set(SIZES.values()) <= set(MODELS)


@pytest.mark.parametrize(
    "group, size, problem",
    [
        ("comparisons", "tiny", "'comparisons'.*comparison, components"),
        ("comparison", "r50", "'r50'.*tiny_s, tiny, tiny_l"),
    ],
)
def test_unknown_names_are_refused(group, size, problem):
    with pytest.raises(DataError, match=problem):
        experiments.group(group, size)
