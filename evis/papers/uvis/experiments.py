"""The measured rows of UVIS's tables at toy scale, as data.

The toy sets stand for the papers' of the same names, `tiny_s` for R50, `toy-coco` for COCO and for
the pictures that the detector has learnt from. The detector and the names are the same for all
units, as the paper's are: a unit is a training on videos.
"""

from collections.abc import Mapping
from dataclasses import replace

from evis import papers
from evis.companion.held_out import LINKED, OF_SET, VIDEOS, HeldOut
from evis.companion.labelled import Detector
from evis.companion.measured import Experiment, Labels, by_name, chosen, tested_on
from evis.inference import Options
from evis.labels.naming import OF_TOY_CLIP, Least
from evis.papers.uvis import recipes
from evis.papers.uvis.pseudo import PseudoLabels
from evis.training import Recipe

SIZES = ("tiny_s",)
SEEDS, FEW = tuple(range(6)), tuple(range(3))  # of rows that claims hang on, and of one other
SEARCH_SEEDS = (100, 101)
MEMORY = replace(LINKED, tracker="memory")  # Eqs. 2-3, lambda = 0.5
WEIGHTED = replace(LINKED, tracker="memory-weighted")  # beyond the paper: evis.trackers.memory

COCO = papers.named("eigencluster.stage1", toy=True)  # masks of stills, the same network
ON_COCO, ALONE, UVIS = (recipes.toy(recipes.named(name)) for name in recipes.NAMES)
CUTLER = papers.experiments("cutler")
DETECTOR = Detector(CUTLER.rounds()[CUTLER.BEST], unit=0)

# What the paper's three 0.7 are here: with them 41 of 11,375 instances of the validation videos
# stay, for `toy_clip` is never so sure of a name. Of 7 x 7 x 6 thresholds these have the best F1 of
# the right masks (IoU 0.5) under the right name there, 43%; without a filter it is 20%. (Looked at
# once, on 2026-11-28, with true labels; these numbers are not stored as rows.)
LEAST = replace(OF_TOY_CLIP, objectness=0.995)
LABELS = PseudoLabels(DETECTOR, LEAST)
# What Tables 2 and 3 take away: filters by objectness, name and prototypes. A lower and a higher
# tau stand for the paper's 0.5 and 0.9.
PRINTED = "thresholds as printed"
FILTERS = {
    "A2: no filter": Least(None, None, None),
    "A3: objectness": replace(LEAST, name=None, prototype=None),
    "A4: objectness, name": replace(LEAST, prototype=None),
    "lower tau": replace(LEAST, prototype=0.9),
    "A5: objectness, name, prototypes": LEAST,
    "higher tau": replace(LEAST, prototype=0.98),
    PRINTED: Least(),
}


def _row(
    name: str,
    *stages: Recipe,
    on: str = VIDEOS,
    options: Options = LINKED,
    labels: Labels | None = None,
    seeds: tuple[int, ...] = SEEDS,
) -> Experiment:
    first, *others = (replace(stage, model=SIZES[0]) for stage in stages)
    return Experiment(
        name,
        (replace(first, init=None), *others),
        papers,
        seeds,
        data=(("videos", on),),
        labels=((UVIS.name, labels),) if labels else (),
        options=options,
    )


def _of_set(on: str) -> dict[str, Experiment]:
    """Table 1's rows of one set, and Table 4's: with and without the memory, and with our own.

    Of one training each three; what differs is how its queries are linked.
    """
    rows = []
    linked = {"": LINKED, ", memory": MEMORY, ", weighted memory": WEIGHTED}
    for tracker, options in linked.items():
        same = {"on": on, "options": options}
        rows += [
            _row(f"MinVIS, COCO{tracker}", COCO, ON_COCO, **same),
            _row(f"MinVIS{tracker}", ALONE, **same),
            _row(f"UVIS{tracker}", UVIS, labels=LABELS, **same),
        ]
    return by_name(*rows)


GROUPS: Mapping[str, Mapping[str, Experiment]] = {
    **{f"uvis {on}": _of_set(on) for on in OF_SET},
    "uvis filters": by_name(
        *(
            _row(
                name,
                UVIS,
                labels=PseudoLabels(DETECTOR, least),
                seeds=FEW if name == PRINTED else SEEDS,
            )
            for name, least in FILTERS.items()
        )
    ),
}
TESTS = {f"uvis {on}": test for on, test in OF_SET.items()}  # of other groups: TEST


def group(name: str, size: str = SIZES[0]) -> Mapping[str, Experiment]:
    return chosen(GROUPS, name, size, SIZES)


def rows_of(test: HeldOut) -> dict[str, Experiment]:
    """The rows of all groups that are tested on these videos."""
    return tested_on(GROUPS, TESTS, test)
