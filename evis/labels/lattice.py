"""Gaussian sums over all pairs of points in time linear in their number: the permutohedral lattice.

sum_j exp(-|f_i - f_j|^2 / 2) x_j, up to a factor that is the same for all i, and approximately: the
points' values are spread to the corners of the simplices that they lie in, blurred along each of
the lattice's directions, and gathered again (Adams, Baek & Davis, 2010).
"""

import numpy as np
from scipy.sparse import csr_matrix


class Lattice:
    """The sums for fixed points (n, d), of standard deviation 1 along every axis."""

    def __init__(self, points: np.ndarray):
        count, axes = points.shape
        lifted = points @ _lift(axes)  # (n, d + 1), each summing to 0
        cells, order, heights = _simplices(lifted)
        # One whole number a corner: its first d coordinates as digits, with room for neighbours.
        low, high = cells.min(0), cells.max(0)
        digits = (axes + 1) * (high - low + 5)[:-1]
        place = np.append(np.cumprod(np.append(1, digits[:-1])), 0)  # what one step along each adds
        first = (axes + 1) * ((cells - low) @ place)
        # From corner to corner all coordinates grow by 1, and one, by its height, drops by d + 1.
        drops = np.cumsum(place[order[:, :0:-1]], axis=1)
        steps = place.sum() * np.arange(1, axes + 1) - (axes + 1) * drops
        keys = np.column_stack([first, first[:, None] + steps])  # (n, d + 1)
        corners, which = np.unique(keys, return_inverse=True)
        # Barycentric weights: the gaps between neighbouring heights, from the lowest up.
        weights = np.column_stack([1 + heights[:, -1] - heights[:, 0], -np.diff(heights)[:, ::-1]])
        ends = np.arange(count + 1) * (axes + 1)
        shape = (count, len(corners))
        self.gather = csr_matrix((weights.ravel(), which.ravel(), ends), shape)
        self.spread = self.gather.T.tocsr()
        along = (axes + 1) * place - place.sum()  # keys from a corner to the next, a direction
        self.neighbours = [(_find(corners, step), _find(corners, -step)) for step in along]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(n, k) -> (n, k)."""
        at = self.spread @ values
        at = np.vstack([at, np.zeros_like(at[:1])])  # the last stands for corners not there
        for ahead, behind in self.neighbours:
            at[:-1] += 0.5 * (at[ahead] + at[behind])
        return self.gather @ at[:-1]


def _lift(axes: int) -> np.ndarray:
    """(d, d + 1): to the hyperplane of coordinates that sum to 0, at the scale where spreading,
    blurring and gathering together have standard deviation 1."""
    rows, columns = np.ogrid[:axes, : axes + 1]
    basis = np.where(columns <= rows, 1.0, 0.0) - (rows + 1) * (columns == rows + 1)
    return np.sqrt(2 / 3) * (axes + 1) * basis / np.linalg.norm(basis, axis=1, keepdims=True)


def _simplices(lifted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each point (n, d + 1) lies: all arrays are (n, d + 1).

    `cells`: its simplex's corner of remainder 0, divided by d + 1; `order`: coordinates from the
    highest above that corner to the lowest; `heights`: how high, in that order, divided by d + 1.
    """
    scaled = lifted / lifted.shape[1]
    cells = np.rint(scaled).astype(np.int64)
    rank = np.argsort(np.argsort(cells - scaled, axis=1, kind="stable"), axis=1)
    rank += cells.sum(1, keepdims=True)  # rounding may leave the hyperplane: the excess goes back
    wrapped = rank % lifted.shape[1]
    cells += (wrapped - rank) // lifted.shape[1]
    order = np.argsort(wrapped, axis=1)
    return cells, order, np.take_along_axis(scaled - cells, order, axis=1)


def _find(corners: np.ndarray, step: int) -> np.ndarray:
    """The index of each corner's neighbour; beyond the last where it is not there."""
    wanted = corners + step
    index = np.searchsorted(corners, wanted)
    there = corners[np.minimum(index, len(corners) - 1)] == wanted
    return np.where(there, index, len(corners))
