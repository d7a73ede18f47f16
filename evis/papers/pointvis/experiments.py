"""The measured rows of PointVIS's tables at toy scale, as data.

The toy sets stand for the papers' of the same names, `tiny_s` for Swin-L and Swin-B, `toy-coco` for
COCO. A unit is a whole chain: a model of stills, what it proposes, and the training on videos.
"""

from collections.abc import Mapping
from dataclasses import replace

from evis import papers
from evis.companion.held_out import LINKED, OF_SET, VIDEOS
from evis.companion.measured import Experiment, by_name, chosen
from evis.data.supervision import P1, P1N1, P5N5, P10, PointScheme
from evis.papers.pointvis import recipes
from evis.papers.pointvis.pseudo import Clicked

SIZES = ("tiny_s",)
SEEDS, FEW = tuple(range(6)), tuple(range(3))  # of rows that claims hang on, and of others
STILLS = replace(papers.named("eigencluster.stage1", toy=True), model=SIZES[0], init=None)
MASKS = papers.named("minvis", toy=True)
FIRST, SELF = (recipes.toy(recipes.named(name)) for name in recipes.NAMES)
PROPOSES = Experiment("stage one only", (STILLS,), papers, SEEDS)

DISTANCE = replace(P1, positive_sampling="distance")
AROUND = replace(P1N1, negative_sampling="around box")
ANNOTATED, WITH_OTHERS = (5.0, 0.0, 0.0), (5.0, 5.0, 0.0)  # Table 2's weights of Eq. 4
SHARES = (0.05, 0.1, 0.5)  # of a video's frames that carry clicks (Table 6), beside all of them


def _masks(on: str) -> Experiment:
    """The full supervision that shares are of, as long on videos as PointVIS is."""
    stage = replace(MASKS, steps=FIRST.steps)
    return Experiment(
        "masks", (STILLS, stage), papers, SEEDS, data=(("videos", on),), options=LINKED
    )


def _row(name: str, by: Clicked, on: str = VIDEOS, seeds: tuple[int, ...] = SEEDS) -> Experiment:
    return Experiment(
        name,
        (STILLS, FIRST),
        papers,
        seeds,
        data=(("videos", on),),
        labels=((FIRST.name, by),),
        options=LINKED,
    )


def _self_trained(name: str, first: Experiment) -> Experiment:
    """The second round: masks of the first one's model, chosen by confidence."""
    ((_, by),) = first.labels
    again = replace(by, proposals=first, score="confidence")
    return replace(first, name=name, stages=(STILLS, SELF), labels=((SELF.name, again),))


def _of_set(on: str) -> dict[str, Experiment]:
    """Table 1's rows of one set."""
    seeds = SEEDS if on == VIDEOS else FEW
    clicked = {"P1": Clicked(PROPOSES), "P1N1": Clicked(PROPOSES, P1N1)}
    rows = [_row(f"PointVIS ({name})", by, on, seeds) for name, by in clicked.items()]
    again = [_self_trained(f"{row.name}, self-trained", row) for row in rows]
    return by_name(replace(_masks(on), seeds=seeds), *rows, *again)


def _clicked(name: str, scheme: PointScheme, **others) -> Experiment:
    return _row(name, Clicked(PROPOSES, scheme, **others), seeds=FEW)


GROUPS: Mapping[str, Mapping[str, Experiment]] = {
    **{f"pointvis {on}": _of_set(on) for on in OF_SET},
    # Table 2. Its last two rows are in "pointvis toy-ytvis19".
    "pointvis costs": by_name(
        _row("annotated cost alone", Clicked(PROPOSES, weights=ANNOTATED)),
        _row("without maskness", Clicked(PROPOSES, weights=WITH_OTHERS)),
    ),
    # Tables 3 and 4: how clicks are drawn, and how many.
    "pointvis clicks": by_name(
        _clicked("P1, by distance", DISTANCE),
        _clicked("P1N1, around the box", AROUND),
        _clicked("P10", P10),
        _clicked("P5N5", P5N5),
    ),
    # Table 6, without self-training.
    "pointvis frames": by_name(
        *(
            _clicked(f"{how}, {share:.0%} of frames", replace(P1N1, frame_share=share), **own)
            for share in (*SHARES, 1.0)
            for how, own in (("PointVIS (P1N1)", {}), ("PF (P1N1)", {"per_frame": True}))
            if share < 1 or own
        )
    ),
}
TESTS = {f"pointvis {on}": test for on, test in OF_SET.items()}  # of other groups: TEST


def group(name: str, size: str = SIZES[0]) -> Mapping[str, Experiment]:
    return chosen(GROUPS, name, size, SIZES)
