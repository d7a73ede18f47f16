"""A search over variants: what each gains on the seeds and videos for choosing."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion import paired
from evis.companion.plots import intervals, style
from evis.companion.plots.intervals import MEASURED, PAIRED
from evis.papers.eigencluster.experiments import BOTH, CONTROL


def gains_over(table: pd.DataFrame, variants: Sequence[str], baseline: str) -> pd.DataFrame:
    """AP above the baseline, a column a seed, and the mean; worst first.

    Without lines where the baseline, or every variant, is not measured.
    """
    ap = table.pivot(index="row", columns="seed", values="AP")
    own = ap.loc[ap.index.intersection(list(variants))]
    gains = own.sub(ap.reindex([baseline]).loc[baseline]).dropna()
    gains["mean"] = gains.mean(axis=1)
    return gains.sort_values("mean").rename_axis(columns=None)


def best(gains: pd.DataFrame) -> str | None:
    """The variant with the highest mean of `gains_over`; None where nothing is measured."""
    return None if gains.empty else gains.index[-1]


def judgement(table: pd.DataFrame, row: str | None) -> list[str]:
    """In sentences, what a row gains on the published method and on its control.

    row: a variant, or what `best` says where there is none.
    """
    if row is None:
        return ["No variant is chosen: none is measured on the search's seeds and videos yet."]
    if row not in set(table["row"]):
        return [f"{row} is not measured on these videos yet."]
    gains = {against: paired.difference(table, row, against) for against in (BOTH, CONTROL)}
    lines = [
        f"{row}: {gain} AP over {against}: {paired.outcome(gain)}."
        for against, gain in gains.items()
    ]
    beats = all(paired.outcome(gain) == "higher" for gain in gains.values())
    verb = "beats" if beats else "is not shown to beat"
    return [*lines, f"It {verb} our toy rows of the published method and of its control."]


def discs(logits: Mapping[str, Tensor]) -> Figure:
    """Mask logits (h, w) side by side, their outlines where the logit is 0."""
    figure, panels = plt.subplots(1, len(logits), figsize=(style.PAGE, 1.5))
    strongest = max(float(image.abs().max()) for image in logits.values())
    for axis, (name, image) in zip(panels, logits.items(), strict=True):
        shown = style.bare(axis).imshow(image, cmap="RdBu_r", vmin=-strongest, vmax=strongest)
        axis.contour(image, levels=[0], colors="black", linewidths=0.8)
        axis.set_title(name)
    figure.colorbar(shown, ax=panels, label="logit", shrink=0.8)
    return figure


def search_figure(gains: pd.DataFrame) -> Figure:
    """What `gains_over` found: every seed a dot, the mean a diamond, the best in its own colour."""
    lines = max(len(gains), 1)
    figure, axis = plt.subplots(figsize=(style.PAGE, 0.8 + 0.26 * lines))
    axis.axvline(0, color="#999999", linewidth=0.8)
    if gains.empty:
        intervals.absent(axis, 0)
    for height, (name, line) in enumerate(gains.iterrows()):
        colour = PAIRED if name == best(gains) else MEASURED
        values = line.drop("mean")
        axis.scatter(values, [height] * len(values), s=16, alpha=0.5, color=colour)
        axis.plot(line["mean"], height, "D", color=colour)
    axis.set_yticks(range(len(gains)), gains.index)
    axis.set_ylim(-0.6, lines - 0.4)
    axis.set(xlabel="AP above TEL + QCC on the validation videos (measured)")
    return figure
