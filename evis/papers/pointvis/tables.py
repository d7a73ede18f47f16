"""PointVIS's Tables 1 to 6 as data: the lines that are printed, and the rows that stand for them.

Table 5's lines of Swin-L have rows of the larger model, called so (`LARGE`); all others, those of
Tables 1 and 6 included, have the smaller's.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from evis.companion.beside import Table
from evis.companion.held_out import OF_SET, SEEN, HeldOut
from evis.papers.pointvis import claims
from evis.papers.pointvis.experiments import SCHEMES, SIZES

PAPER, LARGE = "pointvis", f", {SIZES[-1]}"
MASKS = "MinVIS: masks"
_ONE_AND_ONE = "PointVIS (P1N1)"
# Table 1: the lines of MinVIS, P1 and P1N1, and of those that are published only.
_SETS = {
    "toy-ytvis19": ("3", "4", "5", {"TeViT": "1", "IDOL": "2"}),
    "toy-ytvis21": ("8", "9", "10", {"SeqFormer": "6", "IDOL": "7"}),
    "toy-ovis": ("13", "14", "15", {"MaskTrack": "11", "IDOL": "12"}),
}
TABLE_ONE: Mapping[str, Table] = {  # by the toy set
    on: Table(
        PAPER,
        1,
        {
            **{label: (place, None) for label, place in others.items()},
            MASKS: (masks, "masks"),
            "PointVIS (P1)": (one, "PointVIS (P1), self-trained"),
            _ONE_AND_ONE: (both, f"{_ONE_AND_ONE}, self-trained"),
        },
        MASKS,
        OF_SET[on],
    )
    for on, (masks, one, both, others) in _SETS.items()
}
TABLE_TWO = Table(
    PAPER,
    2,
    {
        "MinVIS (upper bound)": ("1", "masks"),
        "VISP": ("2", "VISP (P1)"),
        "VISP+CINeg": ("3", "VISP+CINeg (P1)"),
        "annotated cost": ("4", "annotated cost alone"),
        "+ clicks on others": ("5", "without maskness"),
        "+ maskness": ("6", "PointVIS (P1)"),
        "+ self-training": ("7", "PointVIS (P1), self-trained"),
    },
    baseline="annotated cost",
)
TABLE_THREE = Table(
    PAPER,
    3,
    {
        "P1, anywhere on the object": ("1", "PointVIS (P1)"),
        "P1, by distance": ("2", "P1, by distance"),
        "P1N1, in the box": ("3", _ONE_AND_ONE),
        "P1N1, around the box": ("4", "P1N1, around the box"),
    },
    baseline="P1, anywhere on the object",
)
LEARNERS = ("VISP", "VISP+CINeg", "PointVIS")  # Table 4's lines; its columns are schemes
_BY_MASKS = {
    "P1": "PointVIS (P1)",
    "P10": "P10",
    "P1N1": _ONE_AND_ONE,
    "P5N5": "P5N5",
}
TABLE_FOUR = Table(
    PAPER,
    4,
    {
        f"{learner}, {scheme}": (
            f"{line}/AP ({scheme})",
            _BY_MASKS[scheme] if learner == "PointVIS" else f"{learner} ({scheme})",
        )
        for line, learner in enumerate(LEARNERS, start=1)
        for scheme in SCHEMES
    },
    baseline="PointVIS, P1",
)
_R50, _SWIN_L = "PointVIS (P1), R50", "PointVIS (P1), Swin-L"
TABLE_FIVE: Mapping[str, Table] = {
    "classes of stills": Table(
        PAPER,
        5,
        {
            "VIS-Unsup": ("1", None),
            "VIS-Semi": ("2", None),
            "stills alone": (None, "stage one only"),
            "VISC": ("3", "VISC"),
            _R50: ("4", "PointVIS (P1)"),
            _SWIN_L: ("5", f"PointVIS (P1){LARGE}"),
        },
        _R50,
        SEEN,
    ),
    "all classes": Table(
        PAPER,
        5,
        {
            "VIS-Weak": ("6", None),
            "stills alone": (None, "stage one only"),
            "VISC, k = 1": (None, "VISC, k = 1"),
            "VISC": (None, "VISC"),
            "VISC, k = 5": (None, "VISC, k = 5"),
            _R50: ("7", "PointVIS (P1)"),
            _SWIN_L: ("8", f"PointVIS (P1){LARGE}"),
        },
        _R50,
    ),
}
# Table 6: how a model learns, its line and its row; by percent of frames, where the row ends. One
# row stands for 1% and 5% of a toy video's frames; half of them is not printed.
WAYS = {MASKS: ("1", "masks"), "frame by frame": ("2", "PF (P1N1)")}
WAYS |= {"whole videos": ("3", _ONE_AND_ONE)}
PERCENTS = {1: ", 1% of frames", 5: ", 1% of frames", 10: ", 10% of frames", 50: ", 50% of frames"}
PERCENTS |= {100: ""}
TABLE_SIX = Table(
    PAPER,
    6,
    {
        f"{way}, {percent}%": (
            None if percent == 50 else f"{line}/AP ({percent}% frames)",
            row + end,
        )
        for way, (line, row) in WAYS.items()
        for percent, end in PERCENTS.items()
    },
    baseline=f"{MASKS}, 100%",
)


def rows(test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """What is measured on these videos, with either model; the larger one's rows are called so."""
    small, large = (claims.table(size, test, shelf) for size in SIZES)
    large = large.assign(row=large["row"] + LARGE)
    return pd.concat([small, large], ignore_index=True) if len(large) else small


def shares(
    measured: pd.DataFrame, table: Table, labels: Mapping[str, str], size: str = ""
) -> pd.DataFrame:
    """A line a label: its AP in percent of that of the label of masks beside it, in print and here.

    labels: label -> that of masks. size: what the rows' names end with. Measured is the units' mean
    of their own shares; "values" holds these.
    """
    printed, lines = table.printed(), {}
    scores = measured.pivot(index="seed", columns="row", values="AP")
    for label, masks in labels.items():
        pair = [table.rows[name] + size for name in (label, masks)]
        own = scores.reindex(columns=pair).dropna().to_numpy().T
        values = 100 * own[0] / own[1]
        there = 100 * printed[label] / printed[masks] if label in printed else float("nan")
        lines[label] = {
            "published": there,
            "measured": values.mean() if len(values) else float("nan"),
            "units": len(values),
            "values": values,
        }
    return pd.DataFrame.from_dict(lines, orient="index")
