"""Dense conditional random field (Krähenbühl & Koltun, 2011): a mask's outline by the picture.

Every two pixels pay for different labels, the more the closer they are (Gaussian term) and the more
alike in place and colour (bilateral term). Mean field over q, the probability of foreground:

    q <- sigmoid(unary + sum_m w_m N_m K_m N_m (2 q - 1)),   N_m = diag(K_m 1)^(-1/2),

K_m the Gaussian kernel of term m between all pixels, itself included; unary the mask's log odds.
"""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
from scipy.ndimage import binary_fill_holes
from scipy.spatial.distance import cdist
from scipy.special import expit

from evis.labels.lattice import Lattice
from evis.losses.tensors import check_choice

# As CutLER has them: reaches in pixels and in steps of 255, then weights.
GAUSSIAN_REACH, GAUSSIAN_WEIGHT = 3, 7
BILATERAL_REACH, BILATERAL_COLOUR, BILATERAL_WEIGHT = 50, 5, 10
LOG_ODDS = 1.0  # of a pixel in the mask: 0.73 that it is foreground

KEPT = 0.5  # least IoU of an outline with the mask it was made of
MOST_EXACT = 8192  # pixels: a matrix of half a GB, and another while it is made

Solver = Literal["fast", "exact"]
Term = tuple[float, np.ndarray]  # weight, points (n, d) whose kernel has a standard deviation of 1
Sums = Callable[[np.ndarray], np.ndarray]  # (n, N) -> (n, N)


def refine(
    picture: np.ndarray, mask: np.ndarray, iterations: int = 10, solver: Solver = "fast"
) -> np.ndarray:
    """(h, w, 3) uint8, (h, w) bool -> (h, w) float64, the probability of foreground.

    Several masks of one picture, (N, h, w), are refined each on its own, but share the kernels.
    `exact` sums over all pairs of pixels; `fast` uses permutohedral lattices.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"picture should be (h, w, 3) uint8, got {picture.shape} {picture.dtype}")
    if mask.shape[-2:] != picture.shape[:2] or mask.dtype != bool:
        raise ValueError(f"mask should be {picture.shape[:2]} bool, got {mask.shape} {mask.dtype}")
    pixels = picture.shape[0] * picture.shape[1]
    check_choice("solver", solver, ("fast", "exact"))
    if iterations < 0:
        raise ValueError(f"iterations should be 0 or more, is {iterations}")
    if solver == "exact" and pixels > MOST_EXACT:
        raise ValueError(f'"exact" takes at most {MOST_EXACT} pixels, got {pixels}; use "fast"')
    if mask.size == 0:
        return np.zeros(mask.shape)
    sums = (_over_pairs if solver == "exact" else _on_lattices)(_terms(picture))
    unary = LOG_ODDS * np.where(mask.reshape(-1, pixels).T, 1, -1)  # (n, N)
    foreground = expit(unary)
    for _ in range(iterations):
        foreground = expit(unary + sums(2 * foreground - 1))
    return foreground.T.reshape(mask.shape)


def outline(picture: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, (N, h, w) bool, one value a patch -> (N, H, W) bool.

    What CutLER makes of MaskCut's masks, there on a square of 480 pixels: enlarged (nearest),
    refined, holes filled; empty where that has an IoU below 0.5 with the enlarged mask.
    """
    before = enlarged(picture, patches)
    after = refine(picture, before) > 0.5
    for number, mask in enumerate(after):
        filled = binary_fill_holes(mask)
        shared = (filled & before[number]).sum() / max((filled | before[number]).sum(), 1)
        after[number] = filled & (shared >= KEPT)
    return after


def enlarged(picture: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """(H, W, 3), (N, h, w) bool, one value a patch -> (N, H, W) bool."""
    size = picture.shape[1::-1]
    large = [
        cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for mask in patches
    ]
    return np.array(large, dtype=bool).reshape(-1, *picture.shape[:2])


def _terms(picture: np.ndarray) -> list[Term]:
    rows, columns = np.indices(picture.shape[:2])
    place = np.column_stack([columns.ravel(), rows.ravel()])
    colour = picture.reshape(-1, 3) / BILATERAL_COLOUR
    return [
        (GAUSSIAN_WEIGHT, place / GAUSSIAN_REACH),
        (BILATERAL_WEIGHT, np.hstack([place / BILATERAL_REACH, colour])),
    ]


def _on_lattices(terms: list[Term]) -> Sums:
    weighted = []
    for weight, points in terms:
        lattice = Lattice(points)
        total = lattice(np.ones((len(points), 1)))
        weighted.append((lattice, np.sqrt(weight / total)))
    return lambda x: sum(scale * lattice(scale * x) for lattice, scale in weighted)


def _over_pairs(terms: list[Term]) -> Sums:
    matrix = 0.0
    for weight, points in terms:
        kernel = cdist(points, points, "sqeuclidean")
        kernel *= -0.5
        np.exp(kernel, out=kernel)
        scale = np.sqrt(weight / kernel.sum(1))
        kernel *= scale
        kernel *= scale[:, None]
        matrix += kernel
    return lambda x: matrix @ x
