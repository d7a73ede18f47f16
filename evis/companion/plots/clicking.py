"""Click on objects, and see which proposal the point matcher gives each of them, and why.

`costs` says it as a table, `explained` as a picture, for clicks from anywhere. `Clicking` is the
widget around them: whatever one clicks on a frame is matched at once.
"""

import base64
import html
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evis.companion.plots import style
from evis.data import clicks as click_files
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Point, Track, VISDataset
from evis.inference import drawing
from evis.labels import points

Clicks = Sequence[Sequence[points.Click]]  # a list an object, of (frame, x, y, positive)
WIDE = 640  # pixels, about: a frame that one clicks on
LISTED = 6  # proposals in a picture's table, the cheapest
WIDTHS = (0.12, 0.22, 0.22, 0.18, 0.11, 0.15)  # of its columns
# In the browser: where in the frame, from 0 to 1, becomes the text of a field that Python reads.
TELL = (
    "const field=this.closest('.evis-clicking').querySelector('.evis-place input');"
    "const frame=this.getBoundingClientRect();"
    "field.value=[(event.clientX-frame.left)/frame.width,"
    "(event.clientY-frame.top)/frame.height].join(' ');"
    "field.dispatchEvent(new Event('input',{bubbles:true}))"
)


def matched(
    dataset: VISDataset, proposals: Sequence[PredictedTrack], clicks: Clicks
) -> tuple[points.Terms, np.ndarray]:
    """The terms of Eq. 4, (N, R) each, and which proposal each object gets, (N,), -1 for none.

    dataset: of one video. proposals: its tracks, scored by maskness. An object without clicks is
    none yet.
    """
    (video,) = dataset.videos
    terms = points.terms_of(proposals, video, clicks)
    there = [n for n, own in enumerate(clicks) if own]
    chosen = np.full(len(clicks), -1)
    chosen[there] = points.assign(points.weighted(terms)[there])
    return terms, chosen


def costs(
    dataset: VISDataset, proposals: Sequence[PredictedTrack], clicks: Clicks, shown: int = 0
) -> pd.DataFrame:
    """What each proposal costs the object of this number, term by term, the cheapest first."""
    if not 0 <= shown < len(clicks):
        raise ValueError(f"there is no object {shown}, but {len(clicks)} from 0 on")
    terms, chosen = matched(dataset, proposals, clicks)
    heads = "{:g} x own clicks that it gets wrong", "{:g} x others' clicks that it covers"
    weighed = {
        head.format(weight): weight * term[shown]
        for head, weight, term in zip(
            (*heads, "-{:g} x maskness"), points.WEIGHTS, terms, strict=True
        )
    }
    table = pd.DataFrame(weighed, index=pd.RangeIndex(len(proposals), name="proposal"))
    table["cost"] = points.weighted(terms)[shown]
    owners = {r: f"object {n}" for n, r in enumerate(chosen) if r >= 0}
    table["goes to"] = [owners.get(r, "") for r in table.index]
    return table.sort_values("cost", kind="stable")


def picture(
    dataset: VISDataset, proposals: Sequence[PredictedTrack], clicks: Clicks, frame: int
) -> np.ndarray:
    """A frame, enlarged, under each object's clicks and its proposal's mask (h, w, 3).

    The mask is pale where the object has no click, for there its label will have none.
    """
    (video,) = dataset.videos
    _, chosen = matched(dataset, proposals, clicks)
    scale = max(1, round(WIDE / video.width))
    drawn = drawing.enlarge(dataset.frame(video.id, frame), scale)
    here = [[click for click in own if click[0] == frame] for own in clicks]
    for n, r in enumerate(chosen):
        rle = proposals[r].masks[frame] if r >= 0 else None
        if rle is not None:
            mask = drawing.enlarge(masks.decode(rle), scale)
            drawn = drawing.draw_mask(drawn, mask, drawing.colour(n), 0.6 if here[n] else 0.15)
    for n, own in enumerate(here):
        middles = [Point(x * scale + scale // 2, y * scale + scale // 2, on) for _, x, y, on in own]
        drawn = drawing.draw_points(drawn, middles, drawing.colour(n), radius=6)
    return drawn


def explained(
    dataset: VISDataset,
    proposals: Sequence[PredictedTrack],
    clicks: Clicks,
    frame: int,
    shown: int = 0,
) -> Figure:
    """`picture` of a frame, and beside it the `costs` of one object; what it gets is in bold."""
    table = costs(dataset, proposals, clicks, shown).head(LISTED)
    figure, axes = plt.subplots(1, 2, figsize=(style.PAGE, 2.3), width_ratios=(1, 1.25))
    style.bare(axes[0]).imshow(picture(dataset, proposals, clicks, frame))
    axes[0].set_title(f"frame {frame}: clicks and the masks that they choose")
    style.bare(axes[1]).set_title(
        f"object {shown}: what the cheapest of {len(proposals)} proposals cost"
    )
    if len(table):
        numbers = [[f"{value:.2f}" for value in row] for row in table.iloc[:, :-1].to_numpy()]
        sides = zip(table.index, numbers, table["goes to"], strict=True)
        cells = [[str(proposal), *row, owner] for proposal, row, owner in sides]
        heads = [name.replace(" that ", "\nthat ") for name in ("proposal", *table.columns)]
        look = {"loc": "center", "cellLoc": "center", "colWidths": WIDTHS}
        drawn = axes[1].table(cells, colLabels=heads, **look)
        drawn.auto_set_font_size(False)
        drawn.set_fontsize(6)
        for (row, _), cell in drawn.get_celld().items():
            cell.set(linewidth=0.3, height=0.17 if row == 0 else 0.11)
            if row and table["goes to"].iloc[row - 1] == f"object {shown}":
                cell.set(facecolor=(*np.divide(drawing.colour(shown), 255), 0.25))
                cell.get_text().set_weight("bold")
    return figure


class Clicking:
    """A frame to click on, with what the matcher makes of it beside; `widget` is to be displayed.

    clicks: what there is already; those of the object of each number are in `self.clicks`.
    path: where "save" writes them, as `evis label points` reads them.
    """

    def __init__(
        self,
        dataset: VISDataset,
        proposals: Sequence[PredictedTrack],
        clicks: Clicks = (),
        path: str | Path = "clicks.json",
    ):
        (self._video,) = dataset.videos
        self._dataset, self._proposals, self._path = dataset, proposals, Path(path)
        names = [category.name for category in dataset.categories]
        self.clicks = [list(own) for own in clicks] or [[]]
        self.names = [(names or ["object"])[0]] * len(self.clicks)
        begin = next((own[0][0] for own in self.clicks if own), 0)
        last = self._video.length - 1
        self.frame = ipywidgets.IntSlider(begin, 0, last, description="frame")
        self.object = ipywidgets.BoundedIntText(0, 0, 99, description="object")
        self.name = ipywidgets.Combobox(
            value=self.names[0], options=names, ensure_option=bool(names), description="class"
        )
        self.positive = ipywidgets.ToggleButtons(
            options={"on it": True, "off it": False}, style={"button_width": "5em"}
        )
        self._back = ipywidgets.Button(description="take back")
        self._keep = ipywidgets.Button(description="save")
        self._place = ipywidgets.Text(layout={"display": "none"}).add_class("evis-place")
        self._frame, self._why = ipywidgets.HTML(), ipywidgets.HTML()
        self._said = ipywidgets.Label()
        self._place.observe(self._told, "value")
        for control in (self.frame, self.object):
            control.observe(lambda change: self._draw(), "value")
        self.name.observe(self._named, "value")
        self._back.on_click(lambda button: self.take_back())
        self._keep.on_click(lambda button: self.save())
        self.object.layout.width = "12em"
        what = ipywidgets.HBox([self.frame, self.object, self.name])
        how = ipywidgets.HBox([self.positive, self._back, self._keep, self._said])
        parts = [self._frame, what, how, self._why, self._place]
        self.widget = ipywidgets.VBox(parts).add_class("evis-clicking")
        self._draw()

    def click(self, x: int, y: int) -> None:
        """On the object that is set, in the frame that is shown."""
        self._begun().append((self.frame.value, x, y, self.positive.value))
        self._draw()

    def take_back(self) -> None:
        """The last click on the object."""
        if own := self._begun():
            own.pop()
        self._draw()

    def labelled(self) -> VISDataset:
        """The video under the clicks, as `points.label` takes it; objects without any are left out.

        A video of no known classes gets those that were typed.
        """
        names = sorted({name for name, own in zip(self.names, self.clicks, strict=True) if own})
        classes = self._dataset.categories or [Category(n, own) for n, own in enumerate(names, 1)]
        ids, tracks = {category.name: category.id for category in classes}, []
        for name, own in zip(self.names, self.clicks, strict=True):
            frames = [tuple(Point(*c[1:]) for c in own if c[0] == t) for t in self._frames()]
            if own:
                found = tuple(here or None for here in frames)
                tracks.append(Track(len(tracks) + 1, self._video.id, ids[name], points=found))
        bare = replace(self._dataset.bare(), categories=tuple(classes), supervision="point")
        return replace(bare, tracks=tuple(tracks))

    def save(self) -> Path:
        path = click_files.write(self.labelled(), self._path)
        self._said.value = f"clicks: {sum(map(len, self.clicks))}, in {path}"
        return path

    def _frames(self) -> range:
        return range(self._video.length)

    def _begun(self) -> list[points.Click]:
        """The clicks on the object that is set."""
        while len(self.clicks) <= self.object.value:
            self.clicks.append([])
            self.names.append(self.name.value)
        return self.clicks[self.object.value]

    def _named(self, change) -> None:
        self._begun()
        self.names[self.object.value] = change["new"]

    def _told(self, change) -> None:
        """Of a click in the browser: "0.25 0.5" is a quarter from the left, half way down."""
        if change["new"]:
            self._place.value = ""  # so that the same place again is news, too
            across, down = (min(max(float(share), 0), 1) for share in change["new"].split())
            width, height = self._video.width, self._video.height
            self.click(min(int(across * width), width - 1), min(int(down * height), height - 1))

    def _draw(self) -> None:
        own = self._begun()
        self.name.value = self.names[self.object.value]
        known = self._dataset, self._proposals, self.clicks
        drawn = picture(*known, self.frame.value)
        written = base64.b64encode(cv2.imencode(".png", drawn[..., ::-1])[1]).decode()
        look = f'style="cursor:crosshair;width:{drawn.shape[1]}px"'
        shown = f'src="data:image/png;base64,{written}" onclick="{html.escape(TELL)}"'
        self._frame.value = f"<img {look} {shown}>"
        self._said.value = "" if own else f"Click on object {self.object.value}."
        table = costs(*known, self.object.value).head(LISTED)
        self._why.value = table.to_html(float_format="{:.2f}".format)
