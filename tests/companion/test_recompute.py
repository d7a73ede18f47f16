"""One stored row, another one with every commit, is measured again from its recipe and compared.

It is of the smallest size and one stage after stage one, so that it takes about two minutes.
"""

import random
import statistics

import pytest

from evis.companion import measured, store
from evis.companion.measured import TEST
from evis.data import paths, provenance, toy
from evis.papers.eigencluster import experiments
from evis.papers.eigencluster.experiments import GROUPS, SEEDS, SIZES

ELSEWHERE = ("AP", "AP50", "mIoU")  # where rounding may differ
SAME_MACHINE = 1e-6
SPREADS = 5  # standard deviations between seeds, elsewhere


# What the stored rows were trained and tested on. They are stale if one of these is another.
SETS = {
    "toy-coco": "a53e37bcab5d",
    "toy-ytvis19": "23345b44d5bc",
    "toy-ytvis21": "22b9f5b9c1f1",
    "toy-ovis": "ddcdef609f19",
}


def test_the_sets_of_the_stored_rows_are_still_the_same():
    """Rows are found by the names of their test videos, not by what these show."""
    assert {name: toy.SPECS[name].hash for name in SETS} == SETS


def test_every_stored_row_has_all_that_its_videos_are_scored_for():
    sets = (measured.VALIDATION, TEST, measured.UNSEEN, measured.CROWDED, measured.CLIPS)
    columns = {str(held_out): measured.metrics(held_out) for held_out in sets}
    rows = [row for row in store.rows() if row.dataset in columns]
    assert len(rows) > 400
    for row in rows:
        assert list(row.metrics) == columns[row.dataset], row.key


def quick_rows():
    """(name, seed) -> stages, stored row: those that train one stage and have several seeds."""
    size = SIZES["r50"]
    rows = {name: row for group in GROUPS for name, row in experiments.group(group, size).items()}
    found = {}
    for name, row in rows.items():
        for stages in map(row.seeded, SEEDS):
            trained = [stage for stage in stages if not measured.committed([stage])]
            stored = measured.find(stages) if len(trained) == 1 else None
            if stored is not None:
                found[name, stored.seed] = stages, stored
    names = [name for name, _ in found]
    return {key: found[key] for key in sorted(found) if names.count(key[0]) > 1}


def test_a_stored_row_is_what_its_recipe_measures(tmp_path):
    rows = quick_rows()
    if not rows:
        pytest.skip("no row of the smallest size and one stage is stored with several seeds yet")
    commit, _ = provenance.commit(paths.repository())
    name, seed = random.Random(str(commit)).choice(list(rows))
    stages, stored = rows[name, seed]
    shelf = measured.Shelf.below(lambda: tmp_path)
    again = measured.row(stages, shelf=shelf, progress=False)
    same_machine = (again.machine["cpu"], again.versions) == (
        stored.machine["cpu"],
        stored.versions,
    )
    for metric in stored.metrics if same_machine else ELSEWHERE:
        values = [row.metrics[metric] for (n, _), (_, row) in rows.items() if n == name]
        allowed = SAME_MACHINE if same_machine else SPREADS * statistics.stdev(values)
        assert again.metrics[metric] == pytest.approx(stored.metrics[metric], abs=allowed), (
            f"{metric} of {name!r}, seed {seed} (key {stored.key}; picked by commit {commit})"
        )
