"""What a label is worth: measured rows of all papers, by what people had to annotate for them.

What a row's labels are is read off its experiment, never written down again: the level that its
last stage may learn from, the clicks, and the share of frames. Networks and schedules differ from
paper to paper, so that a row is compared with the row of its own paper that learns from masks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from evis import papers
from evis.companion import formulas, paired, published, series
from evis.companion.held_out import AT_ANY_SCORE, SURE, TEST, VIDEOS, HeldOut
from evis.companion.measured import Experiment, tested_on
from evis.data.supervision import P1, in_frames, weaken
from evis.data.types import VISDataset

NETWORKS = {"pmvis": "IDOL"}  # the other papers' is Mask2Former
KINDS = {"mask": "masks", "box": "boxes", "point": "points", "none": "none"}  # as figures say it
LABELS = {"masks": "mask", "boxes": "box", "points": "click"}  # what is paid for


@dataclass(frozen=True)
class Level:
    """A measured row. label: what was annotated and, behind a colon, what learns from it; printed:
    a formula of the share of full supervision that its paper prints.
    """

    label: str
    paper: str
    row: str
    printed: str = ""

    @property
    def run(self) -> Experiment:
        return runs(self.paper)[self.row]

    @property
    def full(self) -> str:
        """The row of its paper that learns from all masks of the videos."""
        return FULL[self.paper]

    @property
    def supervision(self) -> str:
        """What people annotated in the videos."""
        last = self.run.stages[-1]
        trains = any(role == "videos" for role, _ in last.mixture)
        return last.supervision if trains else "none"


# Without a row from masks, as in FlowCut, there is no share.
FULL = {"eigencluster": "masks", "pointvis": "masks", "uvis": "MinVIS", "pmvis": "IDOL"}
_EC, _POINTS, _PM = "eigencluster", "pointvis", "pmvis"
_OF_MASKS = "[eigen-cluster-vis/1/{}/AP] / [eigen-cluster-vis/1/6/AP]"
_OF_MINVIS = "[pointvis/1/{}/AP] / [pointvis/1/3/AP]"
_AT_SHARE = "[pointvis/6/{row}/AP ({share:.0%} frames)] / [pointvis/6/1/AP (100% frames)]"
_DEV = "[pointvis/4/{}/AP ({})] / [pointvis/2/1/AP]"
_OF_IDOL = "[pm-vis/10/{}/AP@YouTube-VIS 2019 val] / [pm-vis/10/4/AP@YouTube-VIS 2019 val]"
SHARES = (0.01, 0.1, 0.5)  # of frames; the print has no 50%


def _at_share(label: str, row: str, printed_row: int) -> list[Level]:
    place = {s: _AT_SHARE.format(row=printed_row, share=s) if s < 0.5 else "" for s in SHARES}
    return [
        Level(label.format(f"{s:.0%}"), _POINTS, f"{row}, {s:.0%} of frames", place[s])
        for s in SHARES
    ]


LEVELS = (
    Level("masks: Mask2Former", _EC, "masks"),
    Level("masks: MinVIS", _POINTS, "masks"),
    *_at_share("masks, {}: MinVIS", "masks", 1),
    Level("boxes: BoxInst", _EC, "boxes"),
    Level("boxes: TK", _EC, "TK", _OF_MASKS.format(14)),
    Level("boxes: TK, TEL, QCC", _EC, "TEL + QCC", _OF_MASKS.format(15)),
    Level("P5N5: PointVIS", _POINTS, "P5N5", _DEV.format(3, "P5N5")),
    Level("P10: PointVIS", _POINTS, "P10", _DEV.format(3, "P10")),
    Level("P1N1: PointVIS", _POINTS, "PointVIS (P1N1)", _DEV.format(3, "P1N1")),
    Level("P1N1: self-trained", _POINTS, "PointVIS (P1N1), self-trained", _OF_MINVIS.format(5)),
    *_at_share("P1N1, {}: PointVIS", "PointVIS (P1N1)", 3),
    Level("P1: PointVIS", _POINTS, "PointVIS (P1)", _DEV.format(3, "P1")),
    Level("P1: self-trained", _POINTS, "PointVIS (P1), self-trained", _OF_MINVIS.format(4)),
    Level("P1: loss at clicks", _POINTS, "VISP+CINeg (P1)", _DEV.format(2, "P1")),
    Level("nothing: best guesses", _POINTS, "VISC"),
    Level("nothing: stills alone", _EC, "stage one only"),
    Level("masks: MinVIS, no stills", "uvis", "MinVIS"),
    Level("names: UVIS", "uvis", "UVIS, memory", "[uvis/1/9/AP] / [uvis/1/4/AP]"),
    Level("masks: IDOL", _PM, "IDOL"),
    Level("boxes: IDOL-BoxInst", _PM, "IDOL-BoxInst", _OF_IDOL.format(8)),
    Level("boxes: PM-VIS", _PM, "PM-VIS", _OF_IDOL.format(9)),
)


@dataclass(frozen=True)
class Step:
    """What one idea adds at one level of labels: a row minus the row without it."""

    level: str
    idea: str
    paper: str
    row: str
    without: str
    metric: str = "AP"


STEPS = (
    Step("boxes", "labels", _EC, "boxes", "stage one only"),
    Step("boxes", "matching loss", _EC, "TK", "boxes"),
    Step("boxes", "matching loss", _EC, "TEL + QCC", "more steps"),
    Step("boxes, IDOL", "pseudo masks", _PM, "PM-VIS", "IDOL-BoxInst"),
    Step("points", "matching loss", _POINTS, "VISP+CINeg (P1)", "VISP (P1)"),
    Step("points", "pseudo masks", _POINTS, "PointVIS (P1)", "VISP+CINeg (P1)"),
    Step("points", "labels", _POINTS, "PointVIS (P1N1)", "PointVIS (P1)"),
    Step("points", "self-training", _POINTS, "PointVIS (P1), self-trained", "PointVIS (P1)"),
    Step("points", "self-training", _POINTS, "PointVIS (P1N1), self-trained", "PointVIS (P1N1)"),
    Step("names", "pseudo masks", "uvis", "A3: objectness", "A2: no filter"),
    Step("names", "pseudo masks", "uvis", "A5: objectness, name, prototypes", "A3: objectness"),
    Step("nothing, objects of any class", "pseudo masks", "flowcut", "FlowCut, 2019",
         "VideoCutLER", AT_ANY_SCORE),
)  # fmt: skip
# (paper, row, metric) of objects of any class, in the same videos: FlowCut's know no other.
ANY_CLASS_ROWS = {
    "masks: MinVIS": (_POINTS, "masks", "agnostic AP"),
    "masks: MinVIS, no stills": ("uvis", "MinVIS", "agnostic AP"),
    "names: UVIS": ("uvis", "UVIS, memory", "agnostic AP"),
    "nothing: CutLER": ("flowcut", "CutLER", AT_ANY_SCORE),
    "nothing: VideoCutLER": ("flowcut", "VideoCutLER", AT_ANY_SCORE),
    "nothing: FlowCut": ("flowcut", "FlowCut, 2019", AT_ANY_SCORE),
}


def test_of(paper: str) -> HeldOut:
    """The same 300 videos for all papers; FlowCut's models know objects alone."""
    return SURE[VIDEOS] if paper == "flowcut" else TEST


@cache
def runs(paper: str) -> dict[str, Experiment]:
    """The paper's rows by name that are tested on those videos."""
    module = papers.experiments(paper)
    groups = {name: module.group(name) for name in module.GROUPS}  # of its smallest network
    return tested_on(groups, getattr(module, "TESTS", {}), test_of(paper))


def table(paper: str, rows: Iterable[str], shelf: Path | None = None) -> pd.DataFrame:
    """As `series.table`, of these rows."""
    wanted = [runs(paper)[row] for row in dict.fromkeys(rows)]
    return series.table(wanted, held_out=test_of(paper), shelf=shelf)


def training(level: Level) -> dict[str, str | int | bool]:
    """What has to be alike for two rows' AP to be compared."""
    stages = level.run.stages
    of_videos = [stage for stage in stages if any(role == "videos" for role, _ in stage.mixture)]
    learns = [stage.supervision for stage in stages if stage not in of_videos]
    return {
        "network": f"{NETWORKS.get(level.paper, 'Mask2Former')} {stages[-1].model}",
        "masks of stills": "mask" in learns,
        "frames a clip": of_videos[-1].frames if of_videos else 0,
        "steps on videos": sum(stage.steps for stage in of_videos),
        "frames are linked": level.run.options.window == 1,
    }


def unlike(level: Level) -> dict[str, tuple]:
    """Where it is trained or run otherwise than the row from masks: (its, that row's)."""
    own, full = training(level), training(Level("", level.paper, level.full))
    return {name: (own[name], full[name]) for name in own if own[name] != full[name]}


def annotated(level: Level, dataset: VISDataset) -> float:
    """How many labels people gave an object through its video, in the mean over the objects."""
    if level.supervision == "none":
        return 0.0
    made = dict(level.run.labels).get(level.run.stages[-1].name)
    scheme = getattr(made, "scheme", P1)
    share = getattr(made, "frame_share", scheme.frame_share)
    tracks = in_frames(weaken(dataset, level.supervision, scheme), share).tracks
    of_frames = [getattr(track, KINDS[level.supervision]) for track in tracks]
    given = [label for labels in of_frames for label in labels if label is not None]
    count = sum(map(len, given)) if level.supervision == "point" else len(given)
    return count / len(tracks)


def prices() -> dict[str, float]:
    """Seconds of a label, as we count; `published.label_costs` has what else is said."""
    used = published.label_costs().query("used == 1")
    return dict(zip(used["label"], used["seconds"], strict=True))


def seconds(labels: str, count: float, price: Mapping[str, float]) -> float:
    """Of an object: so many labels of this kind, and its class, which is named once."""
    return count * price[LABELS[labels]] + price["name"] if labels in LABELS else 0.0


def by_unit(levels: Iterable[Level] = LEVELS, shelf: Path | None = None) -> pd.DataFrame:
    """As `series.table`, a line a level ("row": its label) and unit: AP, and "share", AP in percent
    of what the same unit has from masks.
    """
    levels, parts = list(levels), []
    for paper in dict.fromkeys(level.paper for level in levels):
        own = [level for level in levels if level.paper == paper]
        found = table(paper, [FULL[paper], *(level.row for level in own)], shelf).set_index("seed")
        full = found["AP"][found["row"] == FULL[paper]]
        for level in own:
            rows = found[found["row"] == level.row][["first", "AP"]]
            rows = rows.assign(row=level.label, share=100 * rows["AP"] / full.reindex(rows.index))
            parts.append(rows.reset_index())
    return pd.concat(parts, ignore_index=True)


def measured(
    dataset: VISDataset, levels: Iterable[Level] = LEVELS, shelf: Path | None = None
) -> pd.DataFrame:
    """A line a level: its labels, their count and seconds an object, AP, and the share of the AP
    from masks, in percent.

    "low" and "high" are Student's 95% interval of the units' AP, "share low" and "share high" of
    their shares; NaN where too few units are measured. "printed": the share in print.
    """
    levels, price, lines = list(levels), prices(), []
    units = by_unit(levels, shelf)
    for level in levels:
        own = units[units["row"] == level.label]
        line = {"label": level.label, "paper": level.paper, "labels": KINDS[level.supervision]}
        count = annotated(level, dataset)
        line |= {"count": count, "seconds": seconds(line["labels"], count, price)}
        line |= training(level) | {"units": len(own)}
        for name, ends in (("AP", ("low", "high")), ("share", ("share low", "share high"))):
            values = own[name].dropna()
            line |= {name: values.mean()} | dict(zip(ends, paired.interval(values), strict=True))
        lines.append(line | {"printed": _printed(level.printed)})
    return pd.DataFrame(lines)


def _printed(formula: str) -> float:
    return 100 * formulas.evaluate(formula, published.tables()).value if formula else np.nan


def in_print(found: pd.DataFrame) -> pd.DataFrame:
    """The APs behind the printed shares, a line a row of a paper's table: label, labels, seconds,
    AP, and "network", whose rows of one table are comparable. They are of real videos.

    found: lines of `measured`. A share divides by the AP of the row that learns from masks.
    """
    cells, own = published.tables(), found.set_index("label")[["labels", "seconds"]]
    from_masks = {level.paper: level.label for level in LEVELS if level.row == level.full}
    lines: dict[tuple[str, str], dict] = {}
    for level in (level for level in LEVELS if level.printed):
        labelled = level.label, from_masks[level.paper]
        for label, place in zip(labelled, formulas.references(level.printed), strict=True):
            cell = formulas.lookup(cells, place)
            split = cell["dataset"].removeprefix("YouTube-VIS 2019 ").replace("val-dev", ", dev")
            backbone = cell["backbone"] or f"Table {cell['table']}"
            network = f"{published.PAPERS[cell['paper']][0]}, {backbone}{split.removeprefix('val')}"
            line = {"label": label, **own.loc[label], "AP": cell["value"], "network": network}
            lines[network, label] = line
    return pd.DataFrame(lines.values())


def steps(shelf: Path | None = None) -> pd.DataFrame:
    """A line a step as `paired.differences` has it, with its level and idea."""
    lines = []
    for step in STEPS:
        rows = table(step.paper, (step.row, step.without), shelf)
        gain = paired.differences(rows, [(step.row, step.without)], step.metric)
        lines.append(gain.assign(level=step.level, idea=step.idea))
    return pd.concat(lines, ignore_index=True)


def any_class(shelf: Path | None = None) -> pd.DataFrame:
    """A line a row of `ANY_CLASS_ROWS`: label, mean with Student's interval, units."""
    lines = []
    for label, (paper, row, metric) in ANY_CLASS_ROWS.items():
        own = table(paper, [row], shelf)[metric]
        low, high = paired.interval(own)
        lines.append(
            {"label": label, "mean": own.mean(), "low": low, "high": high, "units": len(own)}
        )
    return pd.DataFrame(lines)


def affordable(levels: pd.DataFrame, hours: float, objects: float) -> pd.DataFrame:
    """Of lines of `measured`: what labels of so many objects take, and whether hours suffice.

    Best first, of what can be paid and is measured; the rest by hours.
    """
    shown = levels[["label", "labels", "seconds", "AP", "low", "high", "units"]].copy()
    shown["hours"] = shown.pop("seconds") * objects / 3600
    shown["paid"] = shown["hours"] <= hours
    order = ["paid", "AP", "hours"]
    shown["AP"] = shown["AP"].where(shown["units"] > 0)
    return shown.sort_values(order, ascending=[False, False, True], kind="stable")
