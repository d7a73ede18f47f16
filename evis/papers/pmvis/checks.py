"""Claims of PM-VIS that rows do not decide by pairs; claims.toml names these functions."""

from collections.abc import Mapping

import numpy as np
from scipy import stats

from evis.companion import paired, series
from evis.companion.claims import CANNOT_TELL, CONTRADICTED, HOLDS, UNMEASURED, Finding
from evis.companion.held_out import OF_SET, VIDEOS
from evis.labels import select
from evis.papers.pmvis import quality
from evis.papers.pmvis.experiments import GROUPS, IBM_TIDY
from evis.papers.pmvis.recipes import named

TRIES = 200  # random frames of a few random blocks


def no_mask_of_a_video() -> Finding:
    """By the recipes: what the stage on videos may learn from, and what its start has learnt."""
    stage = named("pmvis")
    start = named(stage.init)
    words = f"the stage learns at the level {stage.supervision!r}; it starts from {start.title}"
    return Finding(HOLDS if stage.supervision == "box" else CONTRADICTED, words)


def scm_is_symmetric() -> Finding:
    """Eq. 8: the score of one mask with another is that of the other with it."""
    draw = np.random.default_rng(0)
    worst = 0.0
    for _ in range(TRIES):
        one, other = _blocks(draw, 2)
        box = select.around(_blocks(draw, 1)[0])
        worst = max(worst, abs(select.scm(one, other, box) - select.scm(other, one, box)))
    words = f"in {TRIES} pairs of masks the two differ by at most {worst:g}"
    return Finding(HOLDS if worst < 1e-12 else CONTRADICTED, words)


def doob_leaves_no_overlap() -> Finding:
    draw, wrong = np.random.default_rng(0), 0
    for _ in range(TRIES):
        masks = _blocks(draw, 3)
        boxes = np.array([select.around(mask) for mask in _blocks(draw, 3)])
        tidy = select.doob(masks, boxes)
        inside = np.zeros_like(masks)
        for mask, (x0, y0, x1, y1) in zip(inside, boxes, strict=True):
            mask[y0:y1, x0:x1] = True
        wrong += bool((tidy.sum(0) > 1).any() or (tidy & ~inside).any() or (tidy & ~masks).any())
    words = f"of {TRIES} frames of three masks, {wrong} had an overlap or a pixel out of its box"
    return Finding(CONTRADICTED if wrong else HOLDS, words)


def nearer_masks_train_better() -> Finding:
    """Fig. 3: over the kinds of pseudo masks, the rank correlation of their IoU and the AP."""
    ious = {name: quality.find(by) for name, by in quality.KINDS.items()}
    rows = GROUPS["pmvis masks"] | {"PM-VIS": GROUPS[f"pmvis {VIDEOS}"]["PM-VIS"]}
    units = series.table(rows.values()).groupby("row")["AP"].agg(["mean", "size"])
    enough = units["mean"][units["size"] >= paired.LEAST_SEEDS]
    if lacking := [name for name in rows if not ious[name] or name not in enough]:
        return Finding(UNMEASURED, f"without numbers, or of few units: {', '.join(lacking)}")
    return ranked({name: (ious[name].metrics["mIoU"], enough[name]) for name in rows})


def ranked(pairs: Mapping[str, tuple[float, float]]) -> Finding:
    """By Spearman's coefficient and its exact two-sided p: over all orders that the second numbers
    could have, the share in which it is as far from 0."""
    ious, scores = zip(*pairs.values(), strict=True)
    found = float(stats.spearmanr(ious, scores).statistic)
    p = stats.permutation_test(
        (stats.rankdata(scores),),
        lambda ranks, axis: (stats.rankdata(ious) * ranks).sum(axis),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=np.inf,  # all of them
    ).pvalue
    words = f"over {len(pairs)} kinds the ranks of mask IoU and AP correlate by {found:.2f}"
    verdict = (HOLDS if found > 0 else CONTRADICTED) if p <= paired.ALPHA else CANNOT_TELL
    return Finding(verdict, f"{words}, p {p:.3f}")


def annotations_are_missing() -> Finding:
    """Fig. 6: of IDOL-BoxInst-masks, more of OVIS than of the two YouTube-VIS."""
    rows = {on: quality.find(IBM_TIDY[on], on) for on in OF_SET}
    if lacking := [on for on, row in rows.items() if row is None]:
        return Finding(UNMEASURED, f"not counted: {', '.join(lacking)}")
    shares = {on: row.metrics["missing"] for on, row in rows.items()}
    words = ", ".join(f"{share:.1%} of {on}" for on, share in shares.items())
    most = shares.pop("toy-ovis")
    holds = min(shares.values()) > 0 and most > max(shares.values())
    return Finding(HOLDS if holds else CONTRADICTED, f"without a mask are {words}")


def _blocks(draw: np.random.Generator, count: int) -> np.ndarray:
    """(count, 24, 32) bool: a rectangle each."""
    masks = np.zeros((count, 24, 32), dtype=bool)
    for mask in masks:
        y, x, height, width = draw.integers(1, (14, 20, 12, 14))
        mask[y : y + height, x : x + width] = True
    return masks
