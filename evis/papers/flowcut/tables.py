"""FlowCut's Tables 1 to 5 as data: the lines that are printed, and the rows that stand for them."""

from collections.abc import Mapping

import pandas as pd

from evis.companion.beside import Table
from evis.companion.held_out import DAVIS, DAVIS_SCORES, SURE, VIDEOS
from evis.papers.flowcut.experiments import LATER

PAPER = "flowcut"
METRICS = ("AP50", "AP75", "AP", "AP_S", "AP_M", "AP_L", "AR10")  # the columns of Tables 2 to 5

TABLE_ONE: Mapping[str, Table] = {  # by how measured rows name its metrics: "", "motion "
    kind: Table(
        PAPER,
        1,
        {
            "MotionGroup": ("1", None),
            "OCLR": ("2", None),
            "Safadoust and Güney": ("3", None),
            "CutLER, linked": (None, "CutLER"),
            "VideoCutLER": ("4", "VideoCutLER"),
            "FlowCut": ("5", "FlowCut, stills"),
            "FlowCut, no stills": (None, "FlowCut, 2021"),
        },
        baseline="VideoCutLER",
        held_out=DAVIS,
        dataset=dataset,
    )
    for kind, dataset in {"": "DAVIS-2017", "motion ": "DAVIS-2017-Motion"}.items()
}


def _beside_others(number: int, on: str) -> Table:
    lines = {
        "MotionGroup": ("1", None),
        "OCLR": ("2", None),
        "CutLER": ("3", "CutLER"),
        "VideoCutLER": ("4", "VideoCutLER"),
        "FlowCut": ("5", "FlowCut, 2021"),
    }
    return Table(PAPER, number, lines, "VideoCutLER", SURE[on])


def _with_and_without(number: int, on: str) -> Table:
    lines = {
        f"pairs of {year}{how}": (place, f"FlowCut, {year}{how}")
        for year, places in {"2019": ("1", "2"), "2021": ("4", "5")}.items()
        for how, place in zip((", no flow", ""), places, strict=True)
    }
    return Table(PAPER, number, lines, "pairs of 2019, no flow", SURE[on])


# By the toy set that is tested on.
OTHERS = {VIDEOS: _beside_others(2, VIDEOS), LATER: _beside_others(3, LATER)}
FLOW = {VIDEOS: _with_and_without(4, VIDEOS), LATER: _with_and_without(5, LATER)}


def gains_of_flow(table: Table) -> dict[str, tuple[str, str]]:
    """Label of a line with flow -> its measured row, and that of the line without, of `FLOW`."""
    labels = list(table.lines)
    return {
        label: (table.rows[label], table.rows[without])
        for without, label in zip(labels[::2], labels[1::2], strict=True)
    }


def davis_rows(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Rows that are tested on `DAVIS`: the scores of one kind, under the names that print them."""
    scores = {f"{kind}{name}": name for name in DAVIS_SCORES}
    return rows[["row", "seed", "first", *scores]].rename(columns=scores)
