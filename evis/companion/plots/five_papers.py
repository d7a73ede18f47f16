"""The five papers on one picture: what each is given to learn from, and how far it gets with it."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from evis.companion import formulas, published
from evis.companion.plots import style
from evis.data.supervision import P1N1, weaken
from evis.data.types import VISDataset
from evis.inference import drawing

LEVELS = (("none", "none"), ("point", "points"), ("box", "boxes"), ("mask", "masks"))


@dataclass(frozen=True)
class Entry:
    """A printed AP on YouTube-VIS 2019 with a ResNet-50, and where it stands in the picture."""

    level: int
    name: str
    cell: str  # paper/table/row
    image_masks: bool  # whether masks of still pictures (COCO) were learned from
    shift: float = 0.0  # sideways, for papers that share a level
    split: str = "val"
    label_below: bool = False


ENTRIES = (
    Entry(0, "FlowCut\n(any class)", "flowcut/2/5", False, -0.22, "train"),
    Entry(0, "UVIS", "uvis/1/9", False, 0.22),
    Entry(1, "PointVIS", "pointvis/5/7", True),
    Entry(2, "Eigen-Cluster\nVIS", "eigen-cluster-vis/2/8", False, -0.28, label_below=True),
    Entry(2, "Eigen-Cluster\nVIS", "eigen-cluster-vis/1/15", True, -0.1),
    Entry(2, "PM-VIS", "pm-vis/10/9", True, 0.3),
    Entry(3, "MinVIS", "uvis/1/2", True, -0.22),
    Entry(3, "Mask2Former", "eigen-cluster-vis/1/6", True, 0.22),
)


def published_ap(entry: Entry) -> float:
    reference = f"{entry.cell}/AP@YouTube-VIS 2019 {entry.split}"
    return float(formulas.lookup(published.tables(), reference).value)


def draw(dataset: VISDataset, video_id: int, frame: int, scale: int = 4) -> Figure:
    """One frame under each supervision level; below it, what the papers report for that level."""
    figure = plt.figure(figsize=(style.PAGE, 4.6))
    grid = figure.add_gridspec(2, len(LEVELS), height_ratios=(1, 2.1))
    for column, (level, title) in enumerate(LEVELS):
        axis = style.bare(figure.add_subplot(grid[0, column]))
        view = weaken(dataset, level, points=P1N1)
        picture = drawing.draw_annotations(view, video_id, frame, scale)
        axis.imshow(picture, interpolation="auto")
        axis.set_title(f"labels: {title}", color=style.SUPERVISION_COLOURS[title])
    axis = figure.add_subplot(grid[1, :])
    for entry in ENTRIES:
        title = LEVELS[entry.level][1]
        rgb = style.SUPERVISION_COLOURS[title]
        x, ap = entry.level + entry.shift, published_ap(entry)
        axis.vlines(x, 0, ap, color=rgb, alpha=0.35, linewidth=1)
        axis.plot(
            x,
            ap,
            style.SUPERVISION_MARKERS[title],
            color=rgb,
            markersize=9,
            markerfacecolor="white" if entry.image_masks else rgb,
            markeredgewidth=1.8,
        )
        axis.annotate(
            f"{entry.name}\n{ap:.1f}",
            (x, ap),
            xytext=(0, -8 if entry.label_below else 8),
            textcoords="offset points",
            ha="center",
            va="top" if entry.label_below else "bottom",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    axis.plot([], [], "o", color="black", label="no mask anywhere")
    axis.plot([], [], "o", color="black", mfc="white", label="masks of COCO still images")
    axis.legend(loc="upper left", title="learned from", alignment="left")
    axis.set(
        xlim=(-0.5, len(LEVELS) - 0.5),
        ylim=(0, 66),
        xticks=range(len(LEVELS)),
        xticklabels=[f"video labels: {title}" for _, title in LEVELS],
        ylabel="published AP, YouTube-VIS 2019\n(ResNet-50)",
    )
    axis.grid(axis="x", visible=False)
    return figure
