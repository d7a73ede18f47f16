"""The measured rows of PointVIS's tables at toy scale, as data.

The toy sets stand for the papers' of the same names, `toy-coco` for COCO. `tiny_s` stands for all
backbones until `tiny_l` is asked for, which stands for Swin-L. A unit is a whole chain: a model of
stills, what it proposes, and the training on videos.
"""

from collections.abc import Mapping
from dataclasses import replace

from evis import papers
from evis.companion.held_out import LINKED, OF_SET, SEEN, VIDEOS
from evis.companion.measured import Experiment, Labels, by_name, chosen
from evis.data.supervision import P1, P1N1, P5N5, P10
from evis.papers.pointvis import recipes
from evis.papers.pointvis.pseudo import Clicked, Clicks, FewMasks, MostConfident
from evis.training import Recipe

SIZES = ("tiny_s", "tiny_l")
SEEDS, FEW = tuple(range(6)), tuple(range(3))  # of rows that claims hang on, and of others
STILLS = replace(papers.named("eigencluster.stage1", toy=True), model=SIZES[0], init=None)
MASKS = papers.named("minvis", toy=True)
FIRST, SELF, VISC, VISP, VISP_CINEG = (recipes.toy(recipes.named(name)) for name in recipes.NAMES)
FULL = replace(MASKS, steps=FIRST.steps)  # as long on videos as PointVIS is
PROPOSES = Experiment("stage one only", (STILLS,), papers, SEEDS)

SCHEMES = {"P1": P1, "P10": P10, "P1N1": P1N1, "P5N5": P5N5}
DISTANCE = replace(P1, positive_sampling="distance")
AROUND = replace(P1N1, negative_sampling="around box")
ANNOTATED, WITH_OTHERS = (5.0, 0.0, 0.0), (5.0, 5.0, 0.0)  # Table 2's weights of Eq. 4
# Of a video's frames that are annotated (Table 6), beside all of them. Of 8 to 16 frames a video,
# 1% and 5% are the same: one.
SHARES = (0.01, 0.1, 0.5)
K = 2  # of VISC's masks a video, of which the paper says nothing: 1.69 objects, rounded
OTHER_K = (1, 5)


def _row(
    name: str,
    stage: Recipe,
    labels: Labels | None = None,
    on: str = VIDEOS,
    seeds: tuple[int, ...] = SEEDS,
) -> Experiment:
    return Experiment(
        name,
        (STILLS, stage),
        papers,
        seeds,
        data=(("videos", on),),
        labels=((stage.name, labels),) if labels else (),
        options=LINKED,
    )


def _self_trained(name: str, first: Experiment) -> Experiment:
    """The second round: masks of the first one's model, chosen by confidence."""
    ((_, by),) = first.labels
    again = replace(by, proposals=first, score="confidence")
    return replace(first, name=name, stages=(STILLS, SELF), labels=((SELF.name, again),))


def _of_set(on: str) -> dict[str, Experiment]:
    """Table 1's rows of one set; TeViT, IDOL, SeqFormer and MaskTrack are published only."""
    clicked = {name: Clicked(PROPOSES, SCHEMES[name]) for name in ("P1", "P1N1")}
    rows = [_row(f"PointVIS ({name})", FIRST, by, on) for name, by in clicked.items()]
    again = [_self_trained(f"{row.name}, self-trained", row) for row in rows]
    return by_name(_row("masks", FULL, on=on), *rows, *again)


def _visc(k: int, seeds: tuple[int, ...] = SEEDS) -> Experiment:
    name = "VISC" if k == K else f"VISC, k = {k}"
    return _row(name, VISC, MostConfident(PROPOSES, k), seeds=seeds)


def _sparse(share: float) -> list[Experiment]:
    """Table 6's rows of one share. A set of single frames is one of pictures: none is turned."""
    by = replace(P1N1, frame_share=share)
    still = {"still_frames": 1, "rotation": 0.0, "shift": 0.0}
    first, full = replace(FIRST, **still), replace(FULL, **still)
    end = f", {share:.0%} of frames"
    return [
        _row(f"masks{end}", full, FewMasks(share)),
        _row(f"PointVIS (P1N1){end}", first, Clicked(PROPOSES, by)),
        _row(f"PF (P1N1){end}", first, Clicked(PROPOSES, by, per_frame=True)),
    ]


TABLE_1 = _of_set(VIDEOS)
ALONE = replace(PROPOSES, options=LINKED)  # no training on videos, as VIS-Unsup
BASELINES = {
    (name, scheme): _row(f"{name} ({scheme})", stage, Clicks(SCHEMES[scheme]))
    for name, stage in (("VISP", VISP), ("VISP+CINeg", VISP_CINEG))
    for scheme in SCHEMES
}
GROUPS: Mapping[str, Mapping[str, Experiment]] = {
    **{f"pointvis {on}": _of_set(on) for on in OF_SET},
    # Table 2. Its first row and its last two are in "pointvis toy-ytvis19".
    "pointvis costs": by_name(
        *(BASELINES[name, "P1"] for name in ("VISP", "VISP+CINeg")),
        _row("annotated cost alone", FIRST, Clicked(PROPOSES, weights=ANNOTATED)),
        _row("without maskness", FIRST, Clicked(PROPOSES, weights=WITH_OTHERS)),
    ),
    # Tables 3 and 4: how clicks are drawn, and how many. P1 and P1N1 are in Tables 1 and 2.
    "pointvis clicks": by_name(
        _row("P1, by distance", FIRST, Clicked(PROPOSES, DISTANCE)),
        _row("P1N1, around the box", FIRST, Clicked(PROPOSES, AROUND)),
        _row("P10", FIRST, Clicked(PROPOSES, P10)),
        _row("P5N5", FIRST, Clicked(PROPOSES, P5N5)),
        *(row for (_, scheme), row in BASELINES.items() if scheme != "P1"),
    ),
    # Table 5: a is tested on the classes that stills have, too; b, on all, is in Table 1.
    "pointvis seen": by_name(ALONE, _visc(K), TABLE_1["PointVIS (P1)"]),
    "pointvis all classes": by_name(ALONE, _visc(K), *(_visc(k, FEW) for k in OTHER_K)),
    # Not in the paper: proposals scored by their own likeness in neighbouring frames.
    "pointvis beyond": by_name(
        _row("agreement, not maskness", FIRST, Clicked(PROPOSES, score="agreement")),
    ),
    # Table 6, without self-training. Its last column's other rows are in "pointvis toy-ytvis19".
    "pointvis frames": by_name(
        *(row for share in SHARES for row in _sparse(share)),
        _row("PF (P1N1)", FIRST, Clicked(PROPOSES, P1N1, per_frame=True)),
    ),
}
# Of other groups: TEST.
TESTS = {f"pointvis {on}": test for on, test in OF_SET.items()} | {"pointvis seen": SEEN}


def group(name: str, size: str = SIZES[0]) -> Mapping[str, Experiment]:
    rows = chosen(GROUPS, name, size, SIZES)
    return {name: _sized(row, size) for name, row in rows.items()}


def _sized(row: Experiment, size: str) -> Experiment:
    """With every stage of this size, the proposals' model's too."""
    labels = tuple(
        (stage, replace(by, proposals=_sized(by.proposals, size)))
        if isinstance(by, Clicked | MostConfident)
        else (stage, by)
        for stage, by in row.labels
    )
    stages = tuple(replace(stage, model=size) for stage in row.stages)
    return replace(row, stages=stages, labels=labels)
