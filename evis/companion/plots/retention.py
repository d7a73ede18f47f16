"""How much of full supervision each weaker level keeps, from the published tables."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evis.companion import formulas, published
from evis.companion.plots import field, labels, style

DATASETS = ("YouTube-VIS 2019 val", "YouTube-VIS 2021 val", "OVIS val")
# (paper, table) -> the fully supervised row, and the methods that change only its labels.
_COUNTERPARTS = {
    ("eigen-cluster-vis", 1): (
        "Mask2Former",
        ("Mask2Former + BoxInst", "MaskFreeVIS", "Eigen-Cluster VIS"),
    ),
    ("pm-vis", 10): ("IDOL (self-trained)", ("IDOL-BoxInst", "PM-VIS")),
    ("pm-vis", 11): ("IDOL (self-trained)", ("IDOL-BoxInst", "PM-VIS")),
    ("pointvis", 1): ("MinVIS", ("PointVIS",)),
    ("uvis", 1): ("MinVIS", ("FlowIRN", "UVIS")),  # all without COCO
}
_OTHER_NETWORK = ("FlowIRN",)  # drawn hollow: the only method of its level


def table() -> pd.DataFrame:
    """AP of a weaker level as a share of the same table's fully supervised counterpart."""
    cells = published.tables()
    rows = []
    for (paper, table), (full, weak) in _COUNTERPARTS.items():
        block = cells[(cells.paper == paper) & (cells.table == table) & (cells.metric == "AP")]
        full_rows = block[
            (block.method == full) & (block.supervision.map(field.video_level) == "masks")
        ]
        if paper == "uvis":
            full_rows = full_rows[full_rows.supervision == "masks"]
        for cell in block[block.method.isin(weak) & block.value.notna()].itertuples():
            level = field.video_level(cell.supervision)
            counterpart = full_rows[
                (full_rows.dataset == cell.dataset) & (full_rows.backbone == cell.backbone)
            ]
            if level == "masks" or counterpart.value.isna().all():
                continue
            formula = (
                f"100 * [{paper}/{table}/{cell.row}/AP@{cell.dataset}] "
                f"/ [{paper}/{table}/{counterpart.row.item()}/AP@{cell.dataset}]"
            )
            points_used = cell.supervision.split()[-1] if level == "points" else ""
            rows.append(
                {
                    "videos": level,
                    "method": f"{cell.method} {points_used}".strip(),
                    "counterpart": full.removesuffix(" (self-trained)"),
                    "backbone": cell.backbone,
                    "dataset": cell.dataset,
                    "AP": cell.value,
                    "of": counterpart.value.item(),
                    "kept %": formulas.evaluate(formula, cells).value,
                    "formula": formula,
                }
            )
    return pd.DataFrame(rows)


def figure(kept: pd.DataFrame) -> Figure:
    """One row a method and backbone, one panel a data set, ordered from strong labels to weak."""
    order = kept.assign(rank=kept.videos.map(field.LEVELS.index))
    keys = order.sort_values("rank", kind="stable")[["videos", "method", "counterpart", "backbone"]]
    keys = list(keys.drop_duplicates().itertuples(index=False, name=None))
    drawn, panels = plt.subplots(
        1, 3, sharey=True, figsize=(style.PAGE, 0.2 * len(keys) + 1.0), gridspec_kw={"wspace": 0.04}
    )
    for axes, dataset in zip(panels, DATASETS, strict=True):
        ours = kept[kept.dataset == dataset]
        for cell in ours.to_dict("records"):
            y = keys.index(tuple(cell[c] for c in ("videos", "method", "counterpart", "backbone")))
            colour, share = field.COLOURS[cell["videos"]], cell["kept %"]
            axes.plot([0, share], [y, y], color=colour, lw=1.2, alpha=0.35)
            own = cell["method"] not in _OTHER_NETWORK
            face = colour if own else "white"
            axes.plot(share, y, field.MARKERS[cell["videos"]], color=colour, mfc=face, ms=5)
            axes.annotate(
                f"{share:.0f}",
                (share, y),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=6.5,
                path_effects=[labels.HALO],
            )
        axes.axvline(100, color="#444444", lw=0.8)
        axes.set(title=dataset, xlim=(0, 118), xticks=range(0, 101, 25))
        axes.grid(axis="y", visible=False)
    panels[0].set_yticks(
        np.arange(len(keys)),
        [f"{method}, {backbone}  (of {full})" for _, method, full, backbone in keys],
        fontsize=6.5,
    )
    panels[0].invert_yaxis()
    panels[1].set_xlabel(
        "share of the fully supervised AP that is kept, % (computed from published AP)"
    )
    field.legend(drawn, list(dict.fromkeys(level for level, *_ in keys)), hollow=False)
    return drawn
