"""Claims of FlowCut that need no training row; claims.toml names these functions."""

from collections.abc import Iterator

import numpy as np

from evis.companion import formulas, published
from evis.companion.claims import CANNOT_TELL, CONTRADICTED, HOLDS, Finding
from evis.foundation import colour, flow
from evis.labels import crf, curate, maskcut
from evis.papers.flowcut.experiments import ALPHA, ROWS
from evis.papers.flowcut.recipes import named
from evis.papers.flowcut.tables import METRICS
from evis.papers.flowcut.worlds import WORLDS

# What 4.2 says is the best of Table 1.
BEST = (
    "J&F@DAVIS-2017",
    "J&F@DAVIS-2017-Motion",
    "J@DAVIS-2017",
    "F@DAVIS-2017-Motion",
)


def less_compute() -> Finding:
    """By the recipes: clips that each stage sees."""
    ours, theirs = (stage.steps * stage.batch for stage in map(named, ("flowcut", "videocutler")))
    words = f"{ours:,} clips of 2 frames against {theirs:,} of 3, after CutLER's training in both"
    return Finding(HOLDS if ours < theirs else CONTRADICTED, words)


def half_is_enough() -> Finding:
    """By Algorithm 1: a mask and half of it."""
    whole = np.ones((1, 2, 2), dtype=bool)
    half = whole & np.eye(2, dtype=bool)
    kept = curate.match(whole, half)
    words = "Algorithm 1 keeps masks whose IoU is more than one half, and drops one of one half"
    return Finding(HOLDS if kept else CONTRADICTED, words)


def matching_is_optimal() -> Finding:
    """By examples: masks that do not overlap, as cuts don't, and two that do."""
    apart = all(curate.match(*ends) == curate.match_one_to_one(*ends) for ends in _cut_twice())
    whole = np.ones((1, 4, 10), dtype=bool)
    part = whole.copy()
    part[..., 8:] = False
    first = np.concatenate([whole, part])
    printed, optimal = curate.match(first, whole), curate.match_one_to_one(first, whole)
    words = (
        f"masks that don't overlap, as those of Eq. 4, {'are' if apart else 'are not'}: no two can "
        f"each cover more than half of one. Of masks that do, as a CRF can make them, two can take "
        f"one: {printed}; one to one, at the highest sum of IoUs, {optimal}"
    )
    found = {apart, printed == optimal}
    verdict = CANNOT_TELL if len(found) == 2 else HOLDS if apart else CONTRADICTED
    return Finding(verdict, words)


def _cut_twice() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Three masks of 12 pixels each, (3, 1, 12) bool twice, none of which overlap in a frame."""
    generator = np.random.default_rng(0)
    for _ in range(300):
        before, other = generator.integers(0, 4, (2, 12))
        after = np.where(generator.random(12) < 0.25, other, before)
        yield tuple(np.stack([cells == n for n in (1, 2, 3)])[:, None] for cells in (before, after))


def alpha_one_has_no_flow() -> Finding:
    """On random features: the cosines of both together, and of appearance."""
    noise = np.random.default_rng(0)
    appearance, motion = noise.standard_normal((2, 5, 6, 8))
    both, alone = (
        features.reshape(30, -1) / np.linalg.norm(features.reshape(30, -1), axis=1)[:, None]
        for features in (maskcut.combined(appearance, motion, 1.0), appearance)
    )
    same = np.allclose(both @ both.T, alone @ alone.T)
    return Finding(HOLDS if same else CONTRADICTED, "all cosines are those of appearance")


def no_annotation() -> Finding:
    """By the rows: what each stage of the chain may learn from, and what the first starts from.

    ImageNet's backbone, which CutLER's recipe at full scale names, learnt from class labels.
    """
    stages = ROWS["FlowCut, 2021"].stages
    levels, start = {stage.supervision for stage in stages}, stages[0].init
    own, before = len(stages), len(stages) - 1
    words = (
        f"all {own} stages, CutLER's {before} among them, learn at the level 'none', the first "
        f"from {start or 'nothing'}; alpha, and CutLER's round, were chosen on validation videos "
        "and stills with true labels"
    )
    return Finding(HOLDS if levels == {"none"} and start is None else CONTRADICTED, words)


def davis_means() -> Finding:
    """By the printed cells of FlowCut's row."""
    wrong = []
    for on in ("DAVIS-2017", "DAVIS-2017-Motion"):
        printed, region, boundary = (_cell(1, 5, f"{m}@{on}") for m in ("J&F", "J", "F"))
        mean = (region + boundary) / 2
        if abs(printed - mean) > 0.1 + 1e-9:
            wrong.append(
                f"{on}: J {region} and F {boundary} have the mean {mean:.1f}, J&F is {printed}; "
                f"with that F it asks for a J of {2 * printed - boundary:.1f}"
            )
    return Finding(CONTRADICTED if wrong else HOLDS, "; ".join(wrong) or "they are")


def davis_best() -> Finding:
    """By the printed cells; on DAVIS-2017-Motion by the mean of J and F, too."""
    cells = published.tables("flowcut", 1)
    worse = []
    for name in BEST:
        metric, on = name.split("@")
        column = cells[(cells.metric == metric) & (cells.dataset == on)].set_index("row").value
        if column[5] <= column.drop(5).max():
            worse.append(name)
    others = cells[(cells.metric == "J&F") & (cells.dataset == "DAVIS-2017-Motion")]
    best = others[others.row < 5].value.max()
    mean = (_cell(1, 5, "J@DAVIS-2017-Motion") + _cell(1, 5, "F@DAVIS-2017-Motion")) / 2
    words = (
        f"not of {', '.join(worse)}"
        if worse
        else f"they are; with the mean of J and F, {mean:.1f}, for the J&F of DAVIS-2017-Motion, "
        f"its lead is {mean - best:.1f}"
    )
    return Finding(CONTRADICTED if worse else HOLDS, words)


def small_objects_are_hard() -> Finding:
    """By discs on a grid of DINO's patches: the best that any choice of whole patches reaches."""
    ious = {2 * radius: _best_of_patches(radius) for radius in (6, 12, 24, 48)}
    listed = ", ".join(f"{iou:.2f} at {wide}" for wide, iou in ious.items())
    words = f"best IoU of patches of 16 pixels with a disc, by its width in pixels: {listed}"
    rises = list(ious.values()) == sorted(ious.values())
    return Finding(HOLDS if rises else CONTRADICTED, words)


def _best_of_patches(radius: int, patch: int = 16, side: int = 8, places: int = 20) -> float:
    """A mean over places of the disc. Of the best choice, no patch that is left out is fuller."""
    generator, best = np.random.default_rng(0), []
    rows, columns = np.indices((side * patch,) * 2)
    for y, x in side * patch / 2 + patch * generator.random((places, 2)):
        disc = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        full = np.sort(disc.reshape(side, patch, side, patch).sum((1, 3)).ravel())[::-1]
        shared, taken = full.cumsum(), patch**2 * np.arange(1, side**2 + 1)
        best.append((shared / (taken + disc.sum() - shared)).max())
    return float(np.mean(best))


def what_rests_is_cut() -> Finding:
    """By a drawn world in which nothing moves, cut with the rows' alpha."""
    (frame, *_), mask = frames, _ = WORLDS["plain: all rests"].clip()
    pictured = flow.colours(flow.of_frame(frames, 0))
    features = maskcut.combined(colour.features(frame), colour.features(pictured), ALPHA)
    ious = curate.mask_ious(mask[None], crf.enlarged(frame, maskcut.masks(features)))
    found = bool(ious.max() > 0.5)
    words = f"an object of another colour is {'' if found else 'not '}cut out at alpha = {ALPHA:g}"
    return Finding(HOLDS if found else CONTRADICTED, f"where nothing moves, {words}")


def gains_on_2019() -> Finding:
    return _gains(4, larger=2, smaller=5)


def gains_on_2021() -> Finding:
    return _gains(5, larger=5, smaller=2)


def _gains(table: int, larger: int, smaller: int) -> Finding:
    """By the printed cells: of each metric, which row gains more over the row above it."""
    gains = {
        metric: [
            _cell(table, row, metric) - _cell(table, row - 1, metric) for row in (larger, smaller)
        ]
        for metric in METRICS
    }
    not_so = [metric for metric, (more, less) in gains.items() if more <= less]
    words = f"in {len(METRICS) - len(not_so)} of {len(METRICS)} columns"
    words += f", not in {' and '.join(not_so)}" if not_so else ""
    verdict = HOLDS if not not_so else CONTRADICTED if len(not_so) == len(METRICS) else CANNOT_TELL
    return Finding(verdict, words)


def better_in_domain() -> Finding:
    """By the printed cells of Tables 4 and 5: pairs of the test's own set less the other's."""
    gains = {
        (on, how, metric): _cell(table, own, metric) - _cell(table, other, metric)
        for table, on, rows in (
            (4, 2019, {"without flow": (1, 4), "with flow": (2, 5)}),
            (5, 2021, {"without flow": (4, 1), "with flow": (5, 2)}),
        )
        for how, (own, other) in rows.items()
        for metric in METRICS
    }
    worse = [key for key, gain in gains.items() if gain < 0]
    listed = "; ".join(
        f"on {on}, {how}: {', '.join(metric for *of, metric in worse if of == [on, how])}"
        for on, how in dict.fromkeys(key[:2] for key in worse)
    )
    words = f"{len(gains) - len(worse)} of {len(gains)} are; not so {listed}"
    verdict = CANNOT_TELL if 0 < len(worse) < len(gains) else CONTRADICTED if worse else HOLDS
    return Finding(verdict, words)


def _cell(table: int, row: int, metric: str) -> float:
    return formulas.evaluate(f"[flowcut/{table}/{row}/{metric}]", published.tables()).value
