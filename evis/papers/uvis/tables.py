"""UVIS's Tables 1 to 4 as data: the lines that are printed, and the rows that stand for them."""

from collections.abc import Mapping

from evis.companion.beside import Table
from evis.companion.held_out import OF_SET

PAPER, WHOLE = "uvis", "UVIS, memory"
DEEPSORT = "DeepSORT, pseudo labels"

TABLE_ONE: Mapping[str, Table] = {  # by the toy set
    on: Table(PAPER, 1, lines, DEEPSORT, OF_SET[on])
    for on, lines in {
        "toy-ytvis19": {
            "IDOL, COCO": ("1", None),
            "MinVIS, COCO": ("2", "MinVIS, COCO"),
            "MaskFreeVIS, COCO": ("3", None),
            "MinVIS": ("4", "MinVIS"),
            "WISE": ("5", None),
            "IRN": ("6", None),
            "WeakVIS": ("7", None),
            DEEPSORT: ("8", "DeepSORT"),
            "UVIS": ("9", WHOLE),
        },
        "toy-ytvis21": {
            "IDOL, COCO": ("10", None),
            "MinVIS, COCO": ("11", "MinVIS, COCO"),
            "MaskFreeVIS, COCO": ("12", None),
            "MinVIS": ("13", "MinVIS"),
            DEEPSORT: ("14", "DeepSORT"),
            "UVIS": ("15", WHOLE),
        },
        "toy-ovis": {
            "IDOL, COCO": ("16", None),
            "MinVIS, COCO": ("17", "MinVIS, COCO"),
            "MaskFreeVIS, COCO": ("18", None),
            "MinVIS": ("19", "MinVIS"),
            DEEPSORT: ("20", "DeepSORT"),
            "UVIS": ("21", WHOLE),
        },
    }.items()
}
TABLE_TWO = Table(
    PAPER,
    2,
    {
        "MinVIS (upper bound)": ("1", "MinVIS"),
        "A1: DeepSORT, no training": ("2", "DeepSORT"),
        "A2: + video training": ("3", "A2: no filter"),
        "A3: + mask score": ("4", "A3: objectness"),
        "A4: + CLIP score": ("5", "A4: objectness, name"),
        "A5: + prototypes": ("6", "A5: objectness, name, prototypes"),
        "A6: + tracking memory": ("7", WHOLE),
    },
    baseline="A1: DeepSORT, no training",
)
TABLE_THREE = Table(
    PAPER,
    3,
    {
        "tau = 0: no prototypes": ("1", "A4: objectness, name"),
        "tau = 0.5 (here 0.9)": ("2", "lower tau"),
        "tau = 0.7 (here 0.95)": ("3", "A5: objectness, name, prototypes"),
        "tau = 0.9 (here 0.98)": ("4", "higher tau"),
    },
    baseline="tau = 0: no prototypes",
)
# Table 4, a pair of lines a setting; the row of the first, with the memory, is its name in the
# second. Settings that it doesn't print have no place.
_PAIRS = {
    ("toy-ytvis19", "UVIS"): "1",
    ("toy-ovis", "UVIS"): "2",
    ("toy-ytvis19", "MinVIS, COCO"): "3",
    ("toy-ovis", "MinVIS, COCO"): "4",
    ("toy-ytvis21", "UVIS"): None,
    ("toy-ytvis21", "MinVIS, COCO"): None,
    ("toy-ytvis19", "MinVIS"): None,
    ("toy-ytvis21", "MinVIS"): None,
    ("toy-ovis", "MinVIS"): None,
}
TABLE_FOUR: Mapping[tuple[str, str], Table] = {  # by toy set and row
    (on, row): Table(
        PAPER,
        4,
        {
            row: (place, row),
            f"{row}, memory": (place and f"{place}/AP (+Tracking Memory)", f"{row}, memory"),
        },
        row,
        OF_SET[on],
    )
    for (on, row), place in _PAIRS.items()
}
