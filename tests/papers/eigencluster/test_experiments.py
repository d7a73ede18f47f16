"""Experiments differ from what they are compared with in what their name says, and no more."""

import pytest

from evis.companion import measured, published, store
from evis.data.errors import DataError
from evis.models import SIZES as MODELS
from evis.papers.eigencluster import experiments
from evis.papers.eigencluster.beyond import FIRST_ROUND, SECOND_ROUND
from evis.papers.eigencluster.experiments import (
    BOTH,
    CONTROL,
    GROUPS,
    SEARCH_SEEDS,
    SEEDS,
    SIZES,
    TK,
)
from evis.papers.eigencluster.temporal import SCHEMES

ROWS = [(size, group) for size in SIZES.values() for group in GROUPS]
STAGE3 = {  # what stage three has otherwise than that of TEL + QCC
    "more steps": {"alpha": 0, "beta": 0},
    "TEL": {"alpha": 0},
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
    return {name: one[name] for name in one if name not in words and one[name] != two[name]}


@pytest.mark.parametrize("name, changes", STAGE3.items())
@pytest.mark.parametrize("size", SIZES.values())
def test_stage_three_differs_in_what_the_row_says(size, name, changes):
    rows = all_rows(size)
    *before, last = rows[name].stages
    *same, both = rows[BOTH].stages
    assert before == same and differing(last, both) == changes


@pytest.mark.parametrize("size", SIZES.values())
def test_no_stage_three_is_without_its_own_check(size):
    """Those that go on from `TK`: in STAGE3, a placebo or beyond the paper."""
    rows, placebos = all_rows(size), experiments.group("placebos", size)
    three = {name for name, row in rows.items() if row.stages[:-1] == rows[TK].stages}
    beyond = ("beyond", "beyond again", "beyond control")
    ours = {name for group in beyond for name in experiments.ROWS[group]}
    assert three == {*STAGE3, BOTH, *placebos, *ours}


@pytest.mark.parametrize("size", SIZES.values())
def test_placebos_are_the_control_with_a_constant(size):
    control = all_rows(size)[CONTROL].stages[-1]
    own = control.settings
    changes = {
        name: differing(row.stages[-1], control)
        for name, row in experiments.group("placebos", size).items()
    }
    assert changes == {
        "TK x 100": {"temporal_factor": pytest.approx(100 * own.temporal_factor)},
        "loss x 1.4": {
            "mask_weight": pytest.approx(1.4 * own.mask_weight),
            "dice_weight": pytest.approx(1.4 * own.dice_weight),
        },
    }


@pytest.mark.parametrize("size", SIZES.values())
def test_beyond_the_paper_a_term_takes_the_place_of_tel_and_qcc(size):
    rows, control = experiments.group("beyond", size), all_rows(size)[CONTROL].stages[-1]
    expected = {name: {"scheme": name} for name in FIRST_ROUND}
    expected["TEL as a loss, x 10"] = {"scheme": "TEL as a loss", "temporal_factor": 1.0}
    expected["soft QCC"] = {"alpha": 1, "soft_qcc": True}
    assert {name: differing(row.stages[-1], control) for name, row in rows.items()} == expected


@pytest.mark.parametrize("size", SIZES.values())
def test_the_second_round_puts_3d_pairwise_matching_in_tk_s_place(size):
    rows, control = experiments.group("beyond again", size), all_rows(size)[CONTROL].stages[-1]
    expected = {name: {"scheme": name} for name in SECOND_ROUND}
    expected["3D pairwise x 10"] = {"scheme": "3D pairwise", "temporal_factor": 1.0}
    assert {name: differing(row.stages[-1], control) for name, row in rows.items()} == expected
    assert not set(rows) & set(experiments.group("beyond", size))


@pytest.mark.parametrize("size", SIZES.values())
def test_the_control_of_the_variants_is_tk_as_they_have_it(size):
    rows = all_rows(size)
    (row,) = experiments.group("beyond control", size).values()
    changes = differing(row.stages[-1], rows[CONTROL].stages[-1])
    assert changes == {"scheme": "Temporal KNN-Matching (TK)"}


def test_variants_are_searched_on_seeds_that_nothing_is_reported_on():
    assert not set(SEARCH_SEEDS) & set(SEEDS)


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
            assert differing(stage, other) == ({} if still else {"flavour": "released"})


@pytest.mark.parametrize("size", SIZES.values())
def test_table_ii_is_covered(size):
    printed = set(published.tables("eigen-cluster-vis", 2)["row_label"])
    rows = experiments.group("schemes", size)
    assert {*rows, "Baseline (No Matching)"} == printed == set(SCHEMES)
    one, two = experiments.group("comparison", size)[TK].stages
    for name, row in rows.items():
        assert row.stages[0] == one
        assert differing(row.stages[1], two) == {"scheme": name}


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


@pytest.mark.parametrize("size", SIZES.values())
def test_stage_one_is_shared_and_the_rest_has_the_seed(size):
    (stage_one,) = experiments.group("comparison", size)["stage one only"].seeded(5).stages
    assert stage_one.seed == 0
    for row in all_rows(size).values():
        first, *others = row.seeded(5).stages
        assert first == stage_one or first.seed == 5
        assert all(stage.seed == 5 for stage in others)
        assert row.seeded(0) != row.seeded(5) or row.name == "stage one only"
        assert row.seeded(5).seed == (0 if row.name == "stage one only" else 5)


@pytest.mark.parametrize("size", SIZES.values())
def test_names_and_keys_are_their_rows_alone(size):
    groups = [experiments.group(group, size) for group in GROUPS]
    assert len(all_rows(size)) == sum(map(len, groups))
    keys = {store.key(measured.content(row.seeded(1)), "", 1) for row in all_rows(size).values()}
    assert len(keys) == len(all_rows(size))


def test_sizes_stand_for_the_papers_backbones_from_small_to_large():
    assert list(SIZES) == ["r50", "r101", "swin_l"] and set(SIZES.values()) <= set(MODELS)
    assert len(SEEDS) >= 8  # the design's least


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
