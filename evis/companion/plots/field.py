"""The field as the five papers report it: one point a method, by year and by what was labelled."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion import published
from evis.companion.plots import labels, style
from evis.data import paths

COLOURS = style.SUPERVISION_COLOURS | {"scribbles": style.COLOURS[5]}
MARKERS = style.SUPERVISION_MARKERS | {"scribbles": "P"}
LEVELS = ("masks", "boxes", "scribbles", "points", "categories", "none")  # of video labels

# The tables that set methods side by side. Ablations stay out, but for Table II of Eigen-Cluster:
# its last row is the model that saw no mask at all.
_COMPARISONS = {
    "eigen-cluster-vis": (1, 2),
    "flowcut": (2, 3),
    "pm-vis": (10, 11),
    "pointvis": (1, 5),
    "uvis": (1,),
}


def methods() -> pd.DataFrame:
    """Year, reference and still-image labels of each method, as the papers' texts give them."""
    file = paths.data() / "papers" / "methods.csv"
    return pd.read_csv(file, keep_default_na=False).set_index("method")


def points() -> pd.DataFrame:
    """AP of each method a data set, backbone and kind of labels; the best where it has several.

    `videos` is what was labelled on videos, `images` on the still images before them: what the
    table says, else what any table with the same AP says, else data/papers/methods.csv.
    """
    known = methods()
    cells = published.tables()
    compared = pd.Series(
        [
            table in _COMPARISONS[paper]
            for paper, table in zip(cells.paper, cells.table, strict=True)
        ]
    )
    rows = cells[compared & (cells.metric == "AP") & cells.value.notna()]
    rows = rows[rows.method.isin(known.index) & (rows.kind == "result")].copy()
    rows["videos"] = rows.supervision.map(video_level)
    rows["images"] = [_said_of_images(cells, cell) for cell in rows.itertuples()]
    same = rows.groupby(["method", "backbone", "dataset", "value"])["images"]
    rows["images"] = same.transform("max").where(
        lambda told: told != "", rows.method.map(known.images)
    )
    rows["year"] = rows.method.map(known.year)
    rows["name"] = rows.method + rows.supervision.map(
        lambda text: f" ({text.split()[-1]})" if "points " in text else ""
    )
    rows = rows.rename(columns={"value": "AP"})
    place = ["name", "backbone", "dataset", "videos", "images"]
    best = rows.sort_values("AP", ascending=False, kind="stable").groupby(place).head(1)
    columns = ["name", "year", "backbone", "dataset", "videos", "images", "AP", "paper", "table"]
    return best[columns].sort_values(["dataset", "backbone", "year", "AP"], ignore_index=True)


def video_level(supervision: str) -> str:
    """`images: masks; videos: boxes` -> boxes; `points P1N1` -> points."""
    return re.sub(r"^images: .+; videos: ", "", supervision).split()[0]


def _said_of_images(cells: pd.DataFrame, cell) -> str:
    if told := re.match(r"images: (\w+);", cell.supervision):
        return told.group(1)
    row = cells[(cells.paper == cell.paper) & (cells.table == cell.table) & (cells.row == cell.row)]
    return "none" if "✗" in set(row[row.metric == "COCO"].as_printed) else ""


def progress(axes: plt.Axes, chosen: pd.DataFrame, years: tuple[int, int]) -> None:
    """AP against year, and the best so far of each level; hollow where no image mask was used.

    Call `name` on the same axes afterwards.
    """
    for level in LEVELS:
        ours = chosen[chosen.videos == level]
        best = ours.groupby("year").AP.max().cummax()
        if len(best):
            best.loc[years[1] + 0.3] = best.iloc[-1]
            axes.step(best.index, best, where="post", color=COLOURS[level], lw=1, alpha=0.45)
    x = _side_by_side(chosen)
    for (level, images), marks in chosen.groupby(["videos", chosen.images == "masks"]):
        axes.scatter(
            x[marks.index],
            marks.AP,
            s=26,
            marker=MARKERS[level],
            facecolor=COLOURS[level] if images else "white",
            edgecolor=COLOURS[level],
            linewidth=1.1,
            zorder=3,
        )
    axes.set(xlim=(years[0] - 0.6, years[1] + 0.6), xticks=range(years[0], years[1] + 1))
    axes.grid(axis="x", visible=False)


def _side_by_side(chosen: pd.DataFrame, apart: float = 1.3, step: float = 0.11) -> pd.Series:
    """Years, moved sideways where a point of the same year would lie on another (in AP)."""
    x = chosen.year.astype(float)
    for year, same in chosen.sort_values("AP").groupby("year"):
        seats: dict[float, float] = {}  # shift -> AP of the highest point there
        for index, ap in same.AP.items():
            free = [s for s in (0, step, -step, 2 * step) if ap - seats.get(s, -np.inf) >= apart]
            shift = free[0] if free else -2 * step
            seats[shift] = ap
            x[index] = year + shift
    return x


def name(axes: plt.Axes, chosen: pd.DataFrame, size: float = 6.5) -> None:
    """Write the methods' names beside the points of `progress`."""
    ordered = chosen.sort_values("AP", ascending=False)
    x = _side_by_side(chosen)[ordered.index]
    labels.name_points(axes, x, ordered.AP, ordered["name"], size)


def legend(figure: Figure, levels: list[str], hollow: bool = True, **place) -> None:
    """One legend below all panels: what was labelled on videos."""
    marks = [
        Line2D([], [], color=COLOURS[level], marker=MARKERS[level], ls="-", ms=5, label=level)
        for level in LEVELS
        if level in levels
    ]
    if hollow:
        plain = {"color": "#444444", "marker": "o", "ls": "", "ms": 5}
        marks += [
            Line2D([], [], **plain, label="image masks used"),
            Line2D([], [], **plain, mfc="white", label="no image masks"),
        ]
    figure.legend(
        handles=marks,
        **(place or {"loc": "outside lower center"}),
        ncols=len(marks),
        title="Labels on videos",
        columnspacing=1.2,
        handlelength=1.4,
        handletextpad=0.5,
    )


def progress_figure(field: pd.DataFrame) -> Figure:
    """YouTube-VIS 2019, ResNet-50 only: with masks of still images, and without any."""
    ours = field[(field.dataset == "YouTube-VIS 2019 val") & (field.backbone == "R50")]
    figure, panels = plt.subplots(
        1, 2, sharey=True, figsize=(style.PAGE, 4.5), gridspec_kw={"width_ratios": [1.35, 1]}
    )
    halves = ours[ours.images == "masks"], ours[ours.images != "masks"]
    titles = "Trained on masks of still images first", "No mask of a still image"
    for axes, half, title in zip(panels, halves, titles, strict=True):
        progress(axes, half, (half.year.min(), half.year.max()))
        axes.set_title(title)
    panels[0].set(ylabel="published AP, YouTube-VIS 2019 val, ResNet-50", ylim=(0, 56))
    legend(figure, list(ours.videos.unique()), hollow=False)
    for axes, half in zip(panels, halves, strict=True):
        name(axes, half)
    return figure


def other_sets_figure(field: pd.DataFrame) -> Figure:
    """The other two validation sets, the largest backbone, and FlowCut's class-agnostic AP."""
    panels = (
        ("YouTube-VIS 2021 val", "R50", "YouTube-VIS 2021 val, ResNet-50"),
        ("OVIS val", "R50", "OVIS val, ResNet-50"),
        ("YouTube-VIS 2019 val", "Swin-L", "YouTube-VIS 2019 val, Swin-L"),
        ("YouTube-VIS 2019 train", None, "YouTube-VIS 2019 train, any class"),
    )
    figure, grid = plt.subplots(2, 2, figsize=(style.PAGE, 6.2))
    shown = []
    for axes, (dataset, backbone, title) in zip(grid.flat, panels, strict=True):
        ours = field[field.dataset == dataset]
        ours = ours[ours.backbone == backbone] if backbone else ours
        progress(axes, ours, (ours.year.min(), ours.year.max()))
        axes.set_title(title)
        shown.append(ours)
    for axes in grid[:, 0]:
        axes.set_ylabel("published AP")
    legend(figure, list(pd.concat(shown).videos.unique()))
    for axes, ours in zip(grid.flat, shown, strict=True):
        name(axes, ours, size=6)
    return figure
