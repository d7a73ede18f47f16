"""One cut of many frames at once: MaskCut of a volume of patches, linked in time by optical flow.

FlowCut cuts frame by frame and names whole sequences as future work. In its graph a link of every
patch with every other of all frames takes memory that grows with the square of their number. Here
a patch is linked, by Eq. 1, with those of its own frame, and with those of the next that are like
the patch it moves to:

    W[t, t]      as in a frame alone
    W[t, t + 1]  row i: the row of W[t + 1, t + 1] of the patch that flow takes i to, if it is like
                 i; else, as where something hides it, and where it leaves, 0

and W[t + 1, t] is the transpose. All follows from the frames' own boolean matrices, so that memory
is linear in frames, and products with W are exact. As frames are linked with their neighbours
alone, the best cut of many would set the first half of a video apart from the second; so each frame
is cut for itself (`ncut.in_every_part`), all in one problem.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage
from scipy.sparse.linalg import LinearOperator

from evis.labels import maskcut, ncut

AWAY = -1  # where a patch goes that leaves the picture


class Volume(LinearOperator):
    """`W @ x`, x (T * n,) or (T * n, k), of T frames of n patches.

    linked: (T, n, n) bool, within frames. moves: (T - 1, n), the patch of the next frame that each
    goes to, or `AWAY`. present: (T, ...) bool, patches whose links are kept (Eq. 4).
    """

    def __init__(self, linked: np.ndarray, moves: np.ndarray, present: np.ndarray | None = None):
        frames, patches = linked.shape[:2]
        super().__init__(np.dtype(np.float64), (frames * patches,) * 2)
        if moves.shape != (frames - 1, patches):
            raise ValueError(f"moves should be {(frames - 1, patches)}, are {moves.shape}")
        there = np.ones((frames, patches), bool) if present is None else present
        self.there = there.reshape(frames, patches)
        self.moves = moves
        self.frames = [
            ncut.Thresholded(own, present=kept)
            for own, kept in zip(linked, self.there, strict=True)
        ]

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._matmat(x.reshape(-1, 1))[:, 0]

    def _matmat(self, x: np.ndarray) -> np.ndarray:
        x = x.reshape(*self.there.shape, -1)
        product = np.zeros(x.shape)
        for t, of_frame in enumerate(self.frames):
            arriving = np.zeros(x.shape[1:])
            if t:
                stays = self._stays(t - 1)
                np.add.at(arriving, self.moves[t - 1, stays], x[t - 1, stays])
            own, others = np.split(of_frame @ np.concatenate([x[t], arriving], 1), 2, axis=1)
            product[t] += own + others
            if t:
                product[t - 1, stays] += own[self.moves[t - 1, stays]]
        return product.reshape(self.shape[0], -1)

    def _stays(self, t: int) -> np.ndarray:
        """The patches of a frame that are there and go to one of the next."""
        return np.flatnonzero(self.there[t] & (self.moves[t] != AWAY))


def follow(flow: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """(h, w, 2) pixels right and down -> (rows * columns,) the patch that each patch goes to.

    By the mean flow of its pixels, to the nearest patch.
    """
    size = np.array(flow.shape[:2])
    row_of, column_of = (np.arange(s) * g // s for s, g in zip(size, grid, strict=True))
    patch = (row_of[:, None] * grid[1] + column_of).ravel()
    count = np.bincount(patch, minlength=grid[0] * grid[1])
    right, down = (np.bincount(patch, flow[..., n].ravel()) / np.maximum(count, 1) for n in (0, 1))
    rows, columns = np.indices(grid).reshape(2, -1)
    row = np.rint(rows + down * grid[0] / size[0]).astype(int)
    column = np.rint(columns + right * grid[1] / size[1]).astype(int)
    inside = (row >= 0) & (row < grid[0]) & (column >= 0) & (column < grid[1])
    return np.where(inside, row * grid[1] + column, AWAY)


def masks(
    features: Sequence[np.ndarray], moves: np.ndarray, tau: float = 0.15, count: int = 3
) -> np.ndarray:
    """T of (h, w, C) -> (count, T, h, w) bool, empty where no more was found; no two overlap."""
    grid = np.shape(features[0])[:2]
    found = list(cuts(features, moves, tau, count))
    nothing = np.zeros((count - len(found), len(features), *grid), bool)
    return np.concatenate([np.array(found, bool).reshape(-1, *nothing.shape[1:]), nothing])


def cuts(
    features: Sequence[np.ndarray], moves: np.ndarray, tau: float, count: int
) -> Iterator[np.ndarray]:
    """(T, h, w) bool each: the side of the most extreme value, unless it has most corners; of it
    what hangs together around that value, in space and from frame to frame.

    As `maskcut.cuts` of the flavour `paper`, of which one frame's is the same.
    """
    linked = np.stack([maskcut.links(of_frame, tau) for of_frame in features])
    moves = agreeing(features, moves, tau)
    shape = len(features), *np.shape(features[0])[:2]
    present = np.ones(shape, bool)
    for _ in range(count):
        left = zip(linked, present.reshape(len(features), -1), strict=True)
        if all(maskcut.all_alike(own.sum(1)[there]) for own, there in left):
            return
        vector = ncut.in_every_part(Volume(linked, moves, present), len(features))
        component = _component(maskcut.settled(vector).reshape(shape), present)
        if component.mean() > maskcut.SMALLEST:
            yield component
        present &= ~component
        for own, gone in zip(linked, component.reshape(len(features), -1), strict=True):
            own[gone] = False
            own[:, gone] = False


def agreeing(features: Sequence[np.ndarray], moves: np.ndarray, tau: float) -> np.ndarray:
    """The moves to patches that are alike: a cosine above tau; the others are `AWAY`."""
    unit = [maskcut.unit_length(of_frame) for of_frame in features]
    unit = np.stack([of_frame.reshape(-1, of_frame.shape[-1]) for of_frame in unit])
    there = np.take_along_axis(unit[1:], np.maximum(moves, 0)[..., None], 1)
    alike = (unit[:-1] * there).sum(-1) > tau
    return np.where(alike, moves, AWAY)


def _component(vector: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(T, h, w) each. A frame's foreground is what lies above its own mean."""
    count = np.maximum(present.sum((1, 2), keepdims=True), 1)
    foreground = present & (vector > (vector * present).sum((1, 2), keepdims=True) / count)
    extreme = np.unravel_index(np.abs(vector).argmax(), vector.shape)
    corners = foreground[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean()
    if corners >= 3 / 4 or not foreground[extreme]:
        foreground, vector = present & ~foreground, -vector
    regions, _ = ndimage.label(foreground)  # neighbours in the picture, and the same place in time
    return regions == regions[np.unravel_index(vector.argmax(), vector.shape)]
