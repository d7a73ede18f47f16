"""PM-VIS's Tables I to XI as data: the lines that are printed, and the rows that stand for them.

Table XI's rows, of Swin-L, are those of Table X with the larger of `experiments.SIZES`. `GAINS`
says which lines of the two tables can be held against each other.
"""

from collections.abc import Mapping

import pandas as pd

from evis.companion import published
from evis.companion.beside import Table
from evis.companion.held_out import OF_SET

PAPER, WHOLE, FILTERED = "pm-vis", "PM-VIS", "PM-VIS, filtered masks"
BOXINST, FULL = "IDOL-BoxInst", "IDOL"
PRINTED_ON = dict(
    zip(OF_SET, ("YouTube-VIS 2019 val", "YouTube-VIS 2021 val", "OVIS val"), strict=True)
)

TABLE_ONE: Mapping[str, Table] = {  # by the toy set
    on: Table(
        PAPER,
        1,
        {"MaskFreeVIS": ("1", None), BOXINST: ("2", BOXINST), WHOLE: ("3", WHOLE)},
        BOXINST,
        OF_SET[on],
        dataset,
    )
    for on, dataset in PRINTED_ON.items()
}
TABLE_TEN: Mapping[str, Table] = {
    on: Table(
        PAPER,
        10,
        {
            "masks: Mask2Former": ("1", None),
            "masks: SeqFormer": ("2", None),
            "masks: IDOL, as published": ("3", None),
            "masks: IDOL": ("4", FULL),
            "masks: VITA": ("5", None),
            "masks, filtered: PM-VIS": ("6", FILTERED),
            "boxes: MaskFreeVIS": ("7", None),
            "boxes: IDOL-BoxInst": ("8", BOXINST),
            "boxes: PM-VIS": ("9", WHOLE),
        },
        "boxes: IDOL-BoxInst",
        OF_SET[on],
        dataset,
    )
    for on, dataset in PRINTED_ON.items()
}
TABLE_ELEVEN: Mapping[str, Table] = {  # of rows of size "tiny_l"
    on: Table(
        PAPER,
        11,
        {
            "masks: Mask2Former": ("1", None),
            "masks: SeqFormer": ("2", None),
            "masks: IDOL, as published": ("3", None),
            "masks: IDOL": ("4", FULL),
            "masks, filtered: PM-VIS": ("5", FILTERED),
            "boxes: MaskFreeVIS": ("6", None),
            "boxes: IDOL-BoxInst": ("7", BOXINST),
            "boxes: PM-VIS": ("8", WHOLE),
        },
        "boxes: IDOL-BoxInst",
        OF_SET[on],
        dataset,
    )
    for on, dataset in PRINTED_ON.items()
}
# What is compared -> the row and its baseline; by table, of R50 and of Swin-L, their printed lines.
GAINS: Mapping[str, tuple[str, str, Mapping[int, tuple[int, int]]]] = {
    "PM-VIS over IDOL-BoxInst, boxes": (WHOLE, BOXINST, {10: (9, 8), 11: (8, 7)}),
    "PM-VIS over IDOL, masks": (FILTERED, FULL, {10: (6, 4), 11: (5, 4)}),
    "IDOL with masks over PM-VIS with boxes": (FULL, WHOLE, {10: (4, 9), 11: (4, 8)}),
}
TABLE_THREE = Table(
    PAPER,
    3,
    {
        "W1 = 0": ("1", "W1 = 0"),
        "W1 = 0.5": ("2", "W1 = 0.5"),
        "W1 = 1": ("3", WHOLE),
        "W1 = 1.5": ("4", "W1 = 1.5"),
    },
    baseline="W1 = 1",
)
TABLE_FOUR = Table(
    PAPER,
    4,
    {
        "W2 = 0": ("1", "IDOL-BoxInst, Missing-Data"),
        "W2 = 0.3": ("2", "W2 = 0.3"),
        "W2 = 0.5": ("3", WHOLE),
        "W2 = 0.8": ("4", "W2 = 0.8"),
        "W2 = 1": ("5", "W2 = 1"),
    },
    baseline="W2 = 0.5",
)
TABLE_FIVE = Table(
    PAPER,
    5,
    {
        "HQ-SAM-masks": ("1", "toy_sam"),
        "HQ-SAM-masks, DOOB": ("2", "toy_sam, DOOB"),
        "IBM, SCM": ("3", "IBM"),
        "IBM, SCM, DOOB": ("4", "IBM, DOOB"),
        "Track-masks": ("5", "Track"),
        "Track-masks, SHQM": ("6", "Track, SHQM"),
        "Track-masks-final": ("7", WHOLE),
    },
    baseline="HQ-SAM-masks",
)
# What Table V's chain changes at a time: a line, and the line that it goes on from.
STEPS = (
    ("HQ-SAM-masks, DOOB", "HQ-SAM-masks"),
    ("IBM, SCM, DOOB", "IBM, SCM"),
    ("Track-masks", "IBM, SCM, DOOB"),
    ("Track-masks, SHQM", "Track-masks"),
    ("Track-masks-final", "Track-masks, SHQM"),
    ("Track-masks-final", "Track-masks"),
)
TABLE_SIX = Table(
    PAPER,
    6,
    {
        "filtered by IBM": ("1", "by IBM, tau = 0.6"),
        "filtered by Track-masks-final": ("2", FILTERED),
    },
    baseline="filtered by IBM",
)
TABLE_SEVEN = Table(
    PAPER,
    7,
    {
        "IDOL, W2 = 0.5": ("1", "IDOL, W2 = 0.5, filtered masks"),
        "PM-VIS, with BoxInstLoss": ("2", FILTERED),
    },
    baseline="IDOL, W2 = 0.5",
)
TABLE_EIGHT: Mapping[str, Table] = {  # by what is learnt from, each with a baseline of its own
    "boxes": Table(
        PAPER,
        8,
        {
            "boxes: all": ("1", BOXINST),
            "boxes: Missing-Data": ("2", "IDOL-BoxInst, Missing-Data"),
        },
        baseline="boxes: all",
    ),
    "masks": Table(
        PAPER,
        8,
        {
            "masks: all": ("3", "PM-VIS, masks"),
            "masks: Missing-Data": ("4", "tau = 0"),
            "masks: Missing-Data, RIA": ("5", FILTERED),
        },
        baseline="masks: all",
    ),
}
TABLE_NINE = Table(
    PAPER,
    9,
    {
        "tau = 0": ("1", "tau = 0"),
        "tau = 0.5": ("2", "tau = 0.5"),
        "tau = 0.6": ("3", FILTERED),
        "tau = 0.7": ("4", "tau = 0.7"),
        "tau = 0.8": ("5", "tau = 0.8"),
    },
    baseline="tau = 0",
)
FILTERS = (TABLE_SIX, TABLE_SEVEN, *TABLE_EIGHT.values(), TABLE_NINE)


def overlaps() -> pd.DataFrame:
    """Table II: how many training videos two sets share, a line and a column a set."""
    cells = published.tables(PAPER, 2)
    cells = cells[cells["metric"].str.startswith("videos shared with ")].dropna(subset="value")
    with_ = cells["metric"].str.removeprefix("videos shared with ")
    own = cells["row_label"].str.replace("YTVIS19", "YTVIS2019").str.replace("YTVIS21", "YTVIS2021")
    counts = cells.assign(own=own, other=with_).pivot(index="own", columns="other", values="value")
    return (
        counts.loc[own.unique(), own.unique()].astype("Int64").rename_axis(index=None, columns=None)
    )
