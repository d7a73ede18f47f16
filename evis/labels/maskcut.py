"""MaskCut (CutLER): objects of one picture without labels, one normalized cut after another.

Patches with like features are linked, a cut sets one object apart, its patches lose their links,
and the rest is cut again. How they lose them is where print and code differ: `paper` takes the
patches out altogether (FlowCut, Eq. 4); `released` makes their features 0, so that weak links to
all others stay, and later cuts can find them again.

Features may come from appearance and motion together: see `combined`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from evis.data.errors import DataError
from evis.labels import ncut
from evis.losses.tensors import FLAVOURS, Flavour, check_choice

SMALLEST = 0.01  # of all patches: what is not above is noise
REPEATED = 0.5  # IoU above which a cut has found the mask before it again
_ROWS = 256  # of the affinity at a time
_RELEASED_DENSE = 1024  # patches up to which `released` takes LAPACK's own sign


class Cut(NamedTuple):
    """One cut, step by step; arrays are (h, w)."""

    vector: np.ndarray  # float64, one value a patch; 0 for patches taken out
    foreground: np.ndarray  # bool
    seed: tuple[int, int]  # row, column
    reversed: bool  # whether the foreground lies below the vector's mean
    component: np.ndarray  # bool, the part of the foreground around the seed
    mask: np.ndarray  # bool, what is kept of it


def masks(
    features: np.ndarray, tau: float = 0.15, count: int = 3, flavour: Flavour = "paper"
) -> np.ndarray:
    """(h, w, C) -> (count, h, w) bool, empty where no more was found; no two overlap."""
    found = [cut.mask for cut in cuts(features, tau, count, flavour)]
    grid = np.shape(features)[:2]
    found += [np.zeros(grid, bool)] * (count - len(found))
    return np.stack(found) if found else np.zeros((0, *grid), bool)


def combined(appearance: np.ndarray, motion: np.ndarray, alpha: float) -> np.ndarray:
    """(h, w, C) and (h, w, C') -> (h, w, C + C'), whose affinity is FlowCut's Eq. 3.

    The cosine of these is alpha times that of the appearance plus 1 - alpha times that of the
    motion. The paper does not state its alpha.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha should be 0 to 1, is {alpha}")
    looks, moves = unit_length(appearance), unit_length(motion)
    if 0 < alpha < 1 and (looks.any(-1) != moves.any(-1)).any():
        # Brought to length 1, as all features are, it would be more alike than Eq. 3 has it.
        raise ValueError("a patch has no appearance or no motion, features of 0: Eq. 3 needs both")
    return np.concatenate([np.sqrt(alpha) * looks, np.sqrt(1 - alpha) * moves], axis=-1)


def cuts(
    features: np.ndarray, tau: float = 0.15, count: int = 3, flavour: Flavour = "paper"
) -> Iterator[Cut]:
    """Up to `count` cuts; fewer where what is left is all alike, so that any cut is as good.

    The papers do not say which cuts are dropped. `paper` drops those of 1% of the patches or less,
    but takes them out, as the same cut would come again. `released` drops those, and those that
    repeat the mask before, from the second cut on, and leaves them in.

    An eigenvector's sign is free, and which side is looked at first hangs on it. `released` takes
    LAPACK's, as the released code does, up to 1,024 patches; above, where that solver takes too
    long, and in `paper` always, the most extreme value is 1 (`settled`).
    """
    check_choice("flavour", flavour, FLAVOURS)
    if count < 0:
        raise ValueError(f"count should be 0 or more, is {count}")
    linked, grid = links(features, tau), np.shape(features)[:2]
    taken, before = np.zeros((2, *grid), bool)
    for number in range(count):
        present = ~taken if flavour == "paper" else np.ones(grid, bool)
        if all_alike(linked.sum(1)[present.ravel()]):
            return
        affinity = ncut.Thresholded(linked, present=present.ravel())
        if flavour == "released" and taken.size <= _RELEASED_DENSE:
            vector = ncut.dense(affinity)
        else:
            vector = settled(ncut.second_eigenvector(affinity))
        foreground, seed, turned = object_side(vector.reshape(grid), present)
        regions, _ = ndimage.label(foreground)  # 4-connected
        component = regions == regions[seed]
        small = component.mean() <= SMALLEST
        if flavour == "released":
            dropped = number > 0 and (small or _iou(component, before) > REPEATED)
            before = component & (not dropped)
            mask = before & ~taken
        else:
            before, mask = component, component & (not small)
        yield Cut(vector.reshape(grid), foreground, seed, turned, component, mask)
        taken = taken | before
        linked[before.ravel()] = False
        linked[:, before.ravel()] = False


def settled(vector: np.ndarray) -> np.ndarray:
    """Its most extreme value is 1; rounded, so that patches which tie do so on every machine."""
    vector = np.round(vector / np.abs(vector).max(), 9)
    return vector * vector[np.abs(vector).argmax()]


def object_side(
    vector: np.ndarray, present: np.ndarray
) -> tuple[np.ndarray, tuple[int, int], bool]:
    """(h, w) each -> the foreground (h, w), its seed (row, column), and whether it lies below.

    The object is the side of the most extreme value, unless the upper side has three corners or
    more of the picture: then it is the lower.
    """
    foreground = present & (vector > vector[present].mean())
    extreme = np.unravel_index(np.abs(vector).argmax(), vector.shape)
    corners = foreground[[0, 0, -1, -1], [0, -1, 0, -1]].sum()
    turned = bool(corners >= 3 or not foreground[extreme])
    if turned:
        foreground, vector = present & ~foreground, -vector
    row, column = np.unravel_index(vector.argmax(), vector.shape)
    return foreground, (int(row), int(column)), turned


def unit_length(features: np.ndarray) -> np.ndarray:
    """(h, w, C) float64, each patch of length 1; empty ones stay 0 and are linked to nothing."""
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 3:
        raise ValueError(f"features should be (h, w, C), got {features.shape}")
    if not np.isfinite(features).all():
        remedy = "Look for pictures or weights that are not finite"
        raise DataError("NaN or infinite values", field="features", remedy=remedy)
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(lengths, 1e-12)


def links(features: np.ndarray, tau: float) -> np.ndarray:
    """(h, w, C) -> (h * w, h * w) bool: a cosine above tau (FlowCut, Eq. 1)."""
    unit = unit_length(features)
    unit = unit.reshape(unit.shape[0] * unit.shape[1], unit.shape[2])
    linked = np.zeros((len(unit), len(unit)), bool)
    for start in range(0, len(unit), _ROWS):
        rows = slice(start, min(start + _ROWS, len(unit)))
        block = unit[rows] @ unit[: rows.stop].T > tau  # (rows, up to and with these)
        linked[rows, : rows.stop] = block
        linked[: rows.stop, rows] = block.T
    return linked


def all_alike(links: np.ndarray) -> bool:
    """Whether patches that have so many links each are linked to all, or none but to itself."""
    return len(links) == 0 or ((links == links[0]).all() and links[0] in (0, 1, len(links)))


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / max((a | b).sum(), 1)
