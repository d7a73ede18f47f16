"""The five papers side by side: methods by what they learned from, shares kept, gains of parts.

All of it is read or computed from the published tables.
"""

import re

import pandas as pd

from evis.companion import formulas, published
from evis.data import paths

LEVELS = ("masks", "boxes", "scribbles", "points", "categories", "none")  # of video labels
DATASETS = ("YouTube-VIS 2019 val", "YouTube-VIS 2021 val", "OVIS val")

# The tables that set methods side by side. Ablations stay out, but for Table II of Eigen-Cluster:
# its last row is the model that saw no mask at all.
_COMPARISONS = {
    "eigen-cluster-vis": (1, 2),
    "flowcut": (2, 3),
    "pm-vis": (10, 11),
    "pointvis": (1, 5),
    "uvis": (1,),
}
# (paper, table) -> the fully supervised row, and the methods that change only its labels. FlowIRN
# is another network than the MinVIS it is divided by, and the only one trained on categories.
_COUNTERPARTS = {
    ("eigen-cluster-vis", 1): (
        ("Mask2Former", "images: masks; videos: masks"),
        ("Mask2Former + BoxInst", "MaskFreeVIS", "Eigen-Cluster VIS"),
    ),
    ("pm-vis", 10): (("IDOL (self-trained)", "masks"), ("IDOL-BoxInst", "PM-VIS")),
    ("pm-vis", 11): (("IDOL (self-trained)", "masks"), ("IDOL-BoxInst", "PM-VIS")),
    ("pointvis", 1): (("MinVIS", "masks"), ("PointVIS",)),
    ("uvis", 1): (("MinVIS", "masks"), ("FlowIRN", "UVIS")),  # all without COCO
}


def video_level(supervision: str) -> str:
    """`images: masks; videos: boxes` -> boxes; `points P1N1` -> points."""
    return re.sub(r"^images: .+; videos: ", "", supervision).split()[0]


def methods() -> pd.DataFrame:
    """Year, reference and still-image labels of each method, as the papers' texts give them."""
    return _read("methods").set_index("method")


def points() -> pd.DataFrame:
    """AP of each method a data set, backbone and kind of labels; the best where it has several.

    `videos` is what was labelled on videos, `images` on the still images before them: what the
    table says, else what any table with the same AP says, else data/papers/methods.csv.
    """
    known, cells = methods(), published.tables()
    places = [(paper, table) for paper, tables in _COMPARISONS.items() for table in tables]
    rows = pd.concat([published.tables(*place) for place in places], ignore_index=True)
    rows = rows[rows.metric.eq("AP") & rows.kind.eq("result") & rows.value.notna()]
    rows = rows[rows.method.isin(known.index)].rename(columns={"value": "AP"})
    rows["videos"] = rows.supervision.map(video_level)
    rows["images"] = [_labels_of_images(cells, cell) for cell in rows.itertuples()]
    same = rows.groupby(["method", "backbone", "dataset", "AP"])["images"].transform("max")
    rows["images"] = same.where(same != "", rows.method.map(known.images))
    rows["year"] = rows.method.map(known.year)
    points_given = rows.supervision.str.extract(r"points (\w+)")[0]
    rows["name"] = rows.method + (" (" + points_given + ")").fillna("")
    place = ["name", "backbone", "dataset", "videos", "images"]
    best = rows.sort_values("AP", ascending=False, kind="stable").groupby(place).head(1)
    columns = ["name", "year", "backbone", "dataset", "videos", "images", "AP", "paper", "table"]
    return best[columns].sort_values(["dataset", "backbone", "year", "AP"], ignore_index=True)


def _labels_of_images(cells: pd.DataFrame, cell) -> str:
    if told := re.match(r"images: (\w+);", cell.supervision):
        return told.group(1)
    row = cells[(cells.paper == cell.paper) & (cells.table == cell.table) & (cells.row == cell.row)]
    return "none" if "✗" in set(row[row.metric == "COCO"].as_printed) else ""


def kept() -> pd.DataFrame:
    """AP of a weaker level as a share of the same table's fully supervised counterpart."""
    cells, rows = published.tables(), []
    for (paper, table), ((full, labels), weak) in _COUNTERPARTS.items():
        block = published.tables(paper, table).query("metric == 'AP' and value == value")
        whole = block[(block.method == full) & (block.supervision == labels)]
        whole = whole.set_index(["dataset", "backbone"]).row
        for cell in block[block.method.isin(weak)].itertuples():
            level = video_level(cell.supervision)
            if level == "masks" or (cell.dataset, cell.backbone) not in whole.index:
                continue
            row = whole[cell.dataset, cell.backbone]
            ap, full_ap = (f"[{paper}/{table}/{n}/AP@{cell.dataset}]" for n in (cell.row, row))
            points_given = cell.supervision.split()[-1] if level == "points" else ""
            rows.append(
                {
                    "videos": level,
                    "method": f"{cell.method} {points_given}".strip(),
                    "counterpart": full.removesuffix(" (self-trained)"),
                    "backbone": cell.backbone,
                    "dataset": cell.dataset,
                    "AP": cell.value,
                    "kept %": formulas.evaluate(f"100 * {ap} / {full_ap}", cells).value,
                }
            )
    return pd.DataFrame(rows)


def ladders() -> pd.DataFrame:
    """A row a rung: what is added, its AP, the AP before, and the gain; a panel a table or two."""
    table, cells = _read("ladders"), published.tables()
    for column, places in (("AP", table.place), ("AP before", table.before)):
        table[column] = [
            float(formulas.lookup(cells, f"{place}/AP").value) if place else float("nan")
            for place in places
        ]
    return table.assign(gain=(table.AP - table["AP before"]).round(1))


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(paths.data() / "papers" / f"{name}.csv", keep_default_na=False)
