"""One stored row, another with every commit, is measured again and compared.

Bits are compared where the fingerprint that the stored row carries is this machine's, so that both
compute alike. Rows of before there were fingerprints carry none.

Elsewhere, rounding makes of one seed what amounts to another: training amplifies a last bit until
the order of matches changes, so the new value is one more draw from what seeds give. Of n seeds
with mean m and standard deviation s, one more draw from the same normal distribution lies within
m +- t s sqrt(1 + 1/n) but for a share ALPHA of all cases, t being Student's quantile at n - 1
degrees of freedom: a prediction interval. Nothing in it is tuned; with twelve metrics a false alarm
is rarer than one run in 800. It tells a broken recipe, not a small change of the arithmetic: that
is what the losses' golden numbers are for.

Seed 0 of a row of two stages is cheapest: its stage one's weights are in the repository.
"""

import math
import random
from collections import defaultdict
from statistics import mean, stdev

import pytest
from scipy.stats import t as student

from evis import papers
from evis.companion import measured, store
from evis.companion.held_out import CROWDED, STILLS, TEST, UNSEEN, VALIDATION
from evis.data import paths, provenance, toy
from evis.papers.eigencluster import experiments
from evis.papers.eigencluster.clip_terms import CLIPS

ALPHA = 1e-4  # a false alarm, for one metric

# What the stored rows were trained and tested on. They are stale if one of these is another.
SETS = {
    "toy-coco": "d63652f39e31",
    "toy-ytvis19": "e6abd68e649c",
    "toy-ytvis21": "60d4a9766fe3",
    "toy-ovis": "04d445061803",
}


def test_the_sets_of_the_stored_rows_are_still_the_same():
    """Rows are found by the names of their test videos, not by what these show."""
    assert {name: toy.SPECS[name].hash for name in SETS} == SETS


def test_every_stored_row_has_all_that_its_videos_are_scored_for():
    of_alpha = papers.experiments("flowcut").TESTS["flowcut alpha"]
    sets = (VALIDATION, of_alpha, TEST, STILLS, UNSEEN, CROWDED, CLIPS)
    columns = {str(held_out): held_out.scoring.metrics for held_out in sets}
    assert len(columns) == len(sets)
    rows = [row for row in store.rows() if row.dataset in columns]
    assert len(rows) > 80
    for row in rows:
        assert tuple(row.metrics) == columns[row.dataset], row.key


def test_rows_that_differ_in_how_a_model_is_run_are_of_one_training():
    """As trackers of the same queries are. Elsewhere the same recipe would be another network, but
    for stage one of seed 0, which lies in data/weights."""
    rounding = defaultdict(list)
    for row in store.rows():
        first, *others = row.recipe.get("stages", [None])
        if first and (others or (first["name"], row.seed) != ("toy.eigencluster.stage1", 0)):
            training = {name: value for name, value in row.recipe.items() if name != "options"}
            key = store.key(training, row.dataset, row.seed)
            rounding[key].append(row.machine.get("fingerprint"))
    assert max(map(len, rounding.values())) > 2
    assert not [key for key, found in rounding.items() if len(set(found)) > 1]


def limits(values):
    """Within these one more draw from where the values come from lies, but for a share ALPHA."""
    reach = student.ppf(1 - ALPHA / 2, len(values) - 1) * math.sqrt(1 + 1 / len(values))
    return mean(values) - reach * stdev(values), mean(values) + reach * stdev(values)


def test_one_more_draw_lies_within_the_limits_as_often_as_they_say(monkeypatch):
    monkeypatch.setitem(globals(), "ALPHA", 0.1)
    draw = random.Random(0).gauss
    within = 0
    for _ in range(4000):
        low, high = limits([draw(0.3, 0.01) for _ in range(8)])
        within += low <= draw(0.3, 0.01) <= high
    assert within / 4000 == pytest.approx(0.9, abs=0.015)  # three standard errors


@pytest.mark.slow
def test_a_stored_row_is_what_its_recipe_measures(tmp_path):
    commit, _ = provenance.commit(paths.repository())
    name = random.Random(str(commit)).choice(["masks", "boxes", experiments.TK])
    row = experiments.group("comparison", experiments.SIZES["r50"])[name]
    found = {seed: measured.find(row.seeded(seed)) for seed in row.seeds}
    stored = {seed: own for seed, own in found.items() if own}
    again = measured.row(row.seeded(0), shelf=tmp_path, progress=False)
    what = f"of {name!r}, seed 0 (key {stored[0].key}; picked by commit {commit})"
    if stored[0].machine.get("fingerprint") == again.machine["fingerprint"]:
        assert again.metrics == stored[0].metrics, what
        return
    for metric, value in again.metrics.items():
        low, high = limits([row.metrics[metric] for row in stored.values()])
        assert low <= value <= high, f"{metric} {what}"
