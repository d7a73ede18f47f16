"""The measured rows of PM-VIS's tables at toy scale, as data.

The toy sets stand for the papers' of the same names, IDOL's `tiny` for R50 and `tiny_l` for Swin-L,
`toy-coco` for COCO, `toy_sam` for HQ-SAM, and label propagation by colour for DeAOT. A unit is a
model of stills, IDOL-BoxInst's model of the smaller size with the masks that it predicts, and a
training on videos: from one model of stills and one set of masks for all, as the paper's, nothing
could be decided (`paired`).
"""

from collections.abc import Mapping
from dataclasses import replace

from evis import papers
from evis.companion.held_out import LINKED, OF_SET, VIDEOS
from evis.companion.labelled import Made
from evis.companion.measured import Experiment, Labels, by_name, chosen
from evis.labels.videos import Boxes
from evis.papers.pmvis import recipes
from evis.papers.pmvis.pseudo import Chosen, Filtered, Predicted, Tracked
from evis.papers.pmvis.recipes import Stage

SIZES = ("tiny", "tiny_l")
SEEDS, FEW = tuple(range(6)), tuple(range(3))  # of rows that claims hang on, and of scans
SEARCH_SEEDS = (100, 101)
# Keyframes an object: len(video) / K. K = 10 gives up to three in YouTube-VIS's videos, of at most
# 36 frames; ours have 8 to 16, so that 5 gives as many. K = 100, for OVIS, gives one here.
EVERY = {VIDEOS: 5, "toy-ytvis21": 5, "toy-ovis": 100}
ONE = 1000  # a K that no video's length reaches: one keyframe

STILLS, MASKS, BOXES, PMVIS = (recipes.toy(recipes.named(name)) for name in recipes.NAMES)
FULL = replace(PMVIS, settings=replace(PMVIS.settings, supervision="mask"))  # on true masks
SAM, SAM_TIDY = (Made(Boxes("toy_sam", tidy)) for tidy in (False, True))


def _row(
    name: str,
    stage: Stage,
    labels: Labels | None = None,
    on: str = VIDEOS,
    seeds: tuple[int, ...] = SEEDS,
) -> Experiment:
    tracker = "idol-ovis" if on == "toy-ovis" else "idol"
    return Experiment(
        name,
        (replace(STILLS, init=None), stage),
        papers,
        seeds,
        data=(("videos", on),),
        labels=((stage.name, labels),) if labels else (),
        options=replace(LINKED, tracker=tracker),
    )


def _weighed(stage: Stage, **settings: float) -> Stage:
    return replace(stage, settings=replace(stage.settings, **settings))


BOXINST = {on: _row("IDOL-BoxInst", BOXES, on=on) for on in OF_SET}
IBM, IBM_TIDY = (
    {on: Predicted(row, SAM, tidy) for on, row in BOXINST.items()} for tidy in (False, True)
)
TRACK_ONE = Tracked(IBM_TIDY[VIDEOS], SAM_TIDY, ONE)
# Track-masks-final; ours with what tracking gives where IDOL-BoxInst-masks lack an annotation.
FINAL, WITH_GAPS = (
    {
        on: Chosen(Tracked(ibm, SAM_TIDY, EVERY[on], gaps), (ibm, SAM_TIDY))
        for on, ibm in IBM_TIDY.items()
    }
    for gaps in (False, True)
)


def _of_set(on: str) -> dict[str, Experiment]:
    """Tables I, X and XI: IDOL, IDOL-BoxInst and PM-VIS, from boxes and from filtered masks."""
    return by_name(
        _row("IDOL", MASKS, on=on),
        BOXINST[on],
        _row("PM-VIS", PMVIS, FINAL[on], on),
        _row("PM-VIS, filtered masks", FULL, Filtered(FINAL[on]), on),
    )


GROUPS: Mapping[str, Mapping[str, Experiment]] = {
    **{f"pmvis {on}": _of_set(on) for on in OF_SET},
    # Table V. Its last row, Track-masks-final, is "PM-VIS" of "pmvis toy-ytvis19".
    "pmvis masks": by_name(
        _row("toy_sam", PMVIS, SAM),
        _row("toy_sam, DOOB", PMVIS, SAM_TIDY),
        _row("IBM", PMVIS, IBM[VIDEOS]),
        _row("IBM, DOOB", PMVIS, IBM_TIDY[VIDEOS]),
        _row("Track", PMVIS, TRACK_ONE),
        _row("Track, SHQM", PMVIS, Chosen(TRACK_ONE, (IBM_TIDY[VIDEOS], SAM_TIDY))),
    ),
    # Tables III and IV. W1 = 1 with W2 = 0.5 is "PM-VIS", W2 = 0 "IDOL-BoxInst, Missing-Data": the
    # boxes alone of what PM-VIS learns from. Both have the same AP in print.
    "pmvis weights": by_name(
        _row("W1 = 0", _weighed(PMVIS, box_weight=0.0), FINAL[VIDEOS]),
        *(
            _row(f"W1 = {w:g}", _weighed(PMVIS, box_weight=w), FINAL[VIDEOS], seeds=FEW)
            for w in (0.5, 1.5)
        ),
        *(
            _row(f"W2 = {w:g}", _weighed(PMVIS, mask_weight=w), FINAL[VIDEOS], seeds=FEW)
            for w in (0.3, 0.8, 1.0)
        ),
        _row("threshold = 0.3", _weighed(PMVIS, threshold=0.3), FINAL[VIDEOS], seeds=FEW),
    ),
    # Tables VI to IX, under masks but for the first. tau = 0.6 is "PM-VIS, filtered masks".
    "pmvis filters": by_name(
        _row("IDOL-BoxInst, Missing-Data", BOXES, Filtered(FINAL[VIDEOS], 0, "box")),
        _row("PM-VIS, masks", FULL),
        _row(
            "IDOL, W2 = 0.5, filtered masks",
            _weighed(FULL, box_weight=0.0),
            Filtered(FINAL[VIDEOS]),
        ),
        _row("by IBM, tau = 0.6", FULL, Filtered(IBM_TIDY[VIDEOS])),
        _row("tau = 0", FULL, Filtered(FINAL[VIDEOS], 0)),
        *(
            _row(f"tau = {tau:g}", FULL, Filtered(FINAL[VIDEOS], tau), seeds=FEW)
            for tau in (0.5, 0.7, 0.8)
        ),
    ),
    # Ours: with what IDOL-BoxInst-masks lack and tracking finds left in.
    "pmvis gaps": by_name(
        _row("PM-VIS, gaps tracked", PMVIS, WITH_GAPS[VIDEOS]),
        _row("gaps tracked, tau = 0.6", FULL, Filtered(WITH_GAPS[VIDEOS])),
    ),
    # Ours: no third model. Of two kinds, the one that neighbouring frames bear out.
    "pmvis steadiest": by_name(
        _row("steadiest of two", PMVIS, Chosen(IBM_TIDY[VIDEOS], (SAM_TIDY,), "steadiest")),
    ),
}
TESTS = {f"pmvis {on}": test for on, test in OF_SET.items()}  # of other groups: TEST


# What is counted, and learnt by nobody: the group that `quality` measures.
COUNTS = ("pmvis quality",)


def group(name: str, size: str = SIZES[0]) -> Mapping[str, Experiment]:
    """With a network of this size, and the pseudo masks of the first one, as the paper's Swin-L."""
    rows = chosen(GROUPS, name, size, SIZES)
    return {name: _sized(row, size) for name, row in rows.items()}


def _sized(row: Experiment, size: str) -> Experiment:
    return replace(row, stages=tuple(replace(stage, model=size) for stage in row.stages))
