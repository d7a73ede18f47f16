"""The colours and marks of the lead paper's rows, the same in all its figures (Fig. 6 too)."""

from evis.companion.plots.style import COLOURS

ROW_COLOURS = {
    "stage one only": "#000000",
    "masks": COLOURS[7],
    "boxes": COLOURS[5],
    "TK": COLOURS[1],
    "more steps": COLOURS[2],  # the control: as many steps as TEL + QCC
    "TEL": COLOURS[4],
    "QCC": COLOURS[0],
    "TEL + QCC": COLOURS[3],
}
ROW_MARKERS = {
    "stage one only": "*",
    "masks": "o",
    "boxes": "s",
    "TK": "^",
    "more steps": "P",
    "TEL": "v",
    "QCC": "X",
    "TEL + QCC": "D",
}
ROW_NAMES = {
    "stage one only": "stage one only",
    "masks": "Mask2Former (masks)",
    "boxes": "+ BoxInst (boxes)",
    "TK": "+ Mask-free VIS (TK)",
    "more steps": "control (more steps)",
    "TEL + QCC": "+ Eigen-Cluster VIS (TEL + QCC)",
}

# Of the diagrams (Figs 2 to 4): the two objects, the two clusters, the parts of the loss, and TK's
# matches.
OBJECTS = COLOURS[0], COLOURS[2]
CLUSTERS = COLOURS[4], COLOURS[6]
IN_SPACE, IN_TIME, ALL_LOSSES, CLASSES = COLOURS[5], COLOURS[1], COLOURS[4], COLOURS[7]
MATCHES = COLOURS[0], COLOURS[3], COLOURS[2]
