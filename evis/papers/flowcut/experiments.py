"""The measured rows of FlowCut's tables at toy scale, as data.

The toy sets stand for the papers' of the same names, `tiny_s` for R50, `toy-coco` for ImageNet,
colour for DINO and DIS for RAFT. The paper tests on the videos that it trains on, without their
labels; here they are others. A unit is a whole chain, CutLER's rounds and what goes on from them;
the cuts of videos, which nothing random enters, are the same for all units.
"""

from collections.abc import Mapping
from dataclasses import replace

from evis import papers
from evis.companion.held_out import DAVIS, LINKED, SURE, VIDEOS, WHOLE, validation
from evis.companion.labelled import Made
from evis.companion.measured import Experiment, Labels, by_name, chosen
from evis.inference import Options
from evis.labels.videos import Cuts
from evis.papers.flowcut import recipes
from evis.papers.flowcut.pseudo import ByKind, Pairs, Uncurated
from evis.training import Recipe

SIZES = ("tiny_s",)
SEEDS = tuple(range(6))  # of all rows, as a claim or a question hangs on each
SEARCH_SEEDS = (100, 101)
LATER = "toy-ytvis21"  # whose training videos the paper's main rows learn from

# The weight of appearance, which the paper does not state: of those that let flow in, the scan's
# best on validation (AP 1.1, 8.2, 19.4 and 27.4 from 0 to 0.75, two units each, on 2026-11-28).
# Without flow, alpha = 1, it is 28.8 there.
ALPHA = 0.75
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)

_CUTLER = papers.experiments("cutler")
VIDEOCUTLER, FLOWCUT, WITH_STILLS = (recipes.toy(recipes.named(name)) for name in recipes.NAMES)
NO_FLOW = 1.0  # section 4.3


def pairs(alpha: float = ALPHA, **how) -> Pairs:
    """FlowCut's labels; `how` is of `Pairs`."""
    return Pairs(Made(Cuts(alpha=alpha)), **how)


def _row(
    name: str,
    *stages: Recipe,
    labels: Labels | None = None,
    on: str = VIDEOS,
    options: Options = WHOLE,
    seeds: tuple[int, ...] = SEEDS,
) -> Experiment:
    """CutLER's rounds, then these stages, all of them from `labels`."""
    rounds = _CUTLER.rounds()[_CUTLER.BEST]
    return replace(
        rounds,
        name=name,
        stages=(*rounds.stages, *(replace(stage, model=SIZES[0]) for stage in stages)),
        method=papers,
        seeds=seeds,
        data=(("videos", on),),
        labels=(*rounds.labels, *((stage.name, labels) for stage in stages)),
        options=options,
    )


CUTLER = _row("CutLER", options=LINKED)
ON_PICTURES = _row("VideoCutLER", VIDEOCUTLER, labels=_CUTLER.CUTS)


def _flowcut(name: str, on: str, alpha: float = ALPHA) -> Experiment:
    return _row(name, FLOWCUT, labels=pairs(alpha), on=on)


# Those of Tables 2 to 5, of which two each are tested on one set's videos.
ROWS = by_name(
    CUTLER,
    ON_PICTURES,
    _flowcut("FlowCut, 2021", LATER),
    _flowcut("FlowCut, 2021, no flow", LATER, NO_FLOW),
    _flowcut("FlowCut, 2019", VIDEOS),
    _flowcut("FlowCut, 2019, no flow", VIDEOS, NO_FLOW),
)


GROUPS: Mapping[str, Mapping[str, Experiment]] = {
    **{f"flowcut {on}": ROWS for on in (VIDEOS, LATER)},
    # Table 1.
    "flowcut davis": by_name(
        CUTLER,
        ON_PICTURES,
        ROWS["FlowCut, 2021"],
        _row("FlowCut, stills", WITH_STILLS, labels=ByKind(pairs(), _CUTLER.CUTS), on=LATER),
    ),
    # Beside "FlowCut, 2019": each without, or with another kind of, one part.
    "flowcut parts": by_name(
        _row("flow alone", FLOWCUT, labels=pairs(0.0)),
        _row("one-to-one", FLOWCUT, labels=pairs(matching="one-to-one")),
        _row("no curation", FLOWCUT, labels=Made(Uncurated(alpha=ALPHA))),
        _row("no dropout", replace(FLOWCUT, dropout=0.0), labels=pairs()),
        _row("gap 1 alone", FLOWCUT, labels=pairs(gaps=(1,))),
        _row("gap 4 alone", FLOWCUT, labels=pairs(gaps=(4,))),
    ),
    "flowcut alpha": by_name(
        *(
            _row(f"alpha = {alpha:g}", FLOWCUT, labels=pairs(alpha), seeds=SEARCH_SEEDS)
            for alpha in ALPHAS
        )
    ),
}
TESTS = {
    f"flowcut {VIDEOS}": SURE[VIDEOS],
    f"flowcut {LATER}": SURE[LATER],
    "flowcut davis": DAVIS,
    "flowcut parts": SURE[VIDEOS],
    "flowcut alpha": validation(SURE[VIDEOS]),
}


def group(name: str, size: str = SIZES[0]) -> Mapping[str, Experiment]:
    return chosen(GROUPS, name, size, SIZES)
