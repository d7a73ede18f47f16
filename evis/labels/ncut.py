"""Normalized cuts: the second generalized eigenvector of an affinity W, without its float matrix.

(D - W) v = lambda D v, D the row sums of W (FlowCut, Eq. 2). With u = D^(1/2) v it is an ordinary
symmetric problem, whose largest eigenvalue, 1, has the known eigenvector D^(1/2) 1; the wanted one
comes next, and Lanczos finds it from products W x alone.
"""

import contextlib
from collections.abc import Callable

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import ArpackError, LinearOperator, aslinearoperator, eigsh

EPSILON = 1e-5  # the affinity of patches that are not alike
_BLOCK = 2**17  # elements turned to float64 at a time, 1 MB: they stay in the processor's cache
_DENSE = 32  # patches: so few are solved faster as a matrix
_RESTARTS = 100  # of Lanczos, ten products each; few cuts need three


class Thresholded(LinearOperator):
    """FlowCut's Eq. 1 and 4 from one boolean matrix: `W @ x`, x (n,) or (n, k).

    1 where two patches are `linked` (n, n), epsilon where not; 0 in rows and columns of those not
    `present` (n,). The boolean matrix is not copied.
    """

    def __init__(
        self, linked: np.ndarray, epsilon: float = EPSILON, present: np.ndarray | None = None
    ):
        super().__init__(np.dtype(np.float64), linked.shape)
        self.linked, self.epsilon = linked, epsilon
        self.present = np.ones(len(linked)) if present is None else present.astype(np.float64)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._matmat(x.reshape(-1, 1))[:, 0]

    def _matmat(self, x: np.ndarray) -> np.ndarray:
        x = self.present[:, None] * x
        rows = max(1, _BLOCK // max(len(x), 1))
        floats = np.empty((rows, len(x)))
        product = np.empty(x.shape)
        for start in range(0, len(x), rows):
            of_block = slice(start, min(start + rows, len(x)))
            block = floats[: of_block.stop - start]
            block[:] = self.linked[of_block]
            np.matmul(block, x, out=product[of_block])
        product *= 1 - self.epsilon
        product += self.epsilon * x.sum(0)
        return self.present[:, None] * product


def second_eigenvector(affinity: np.ndarray | LinearOperator) -> np.ndarray:
    """(n, n) -> (n,), v^T D v = 1; its sign is free.

    Symmetric and not negative: a matrix, boolean or float, or an operator such as `Thresholded`. A
    patch without any affinity, its own included, belongs to no side and gets 0. Where the graph
    falls apart, the eigenvector is any one at right angles (in D) to the constant. Fewer than two
    patches: zeros.
    """
    affinity, degrees = _checked(affinity)
    there = degrees > 0
    if there.sum() < 2:
        return np.zeros(len(degrees))
    scale = np.divide(1, np.sqrt(degrees), out=np.zeros(len(degrees)), where=there)
    constant = np.sqrt(degrees / degrees.sum())[:, None]
    lowered = 3 if there.sum() == 2 else 2  # of two patches, the wanted one may have -1 itself

    def step(x: np.ndarray) -> np.ndarray:
        """(n, k): D^(-1/2) W D^(-1/2) x, with -1 or less for the known one and for patches out."""
        x = x.reshape(len(degrees), -1)
        product = scale[:, None] * (affinity @ (scale[:, None] * x))
        return product - lowered * constant * (constant.T @ x) - 2 * ~there[:, None] * x

    vector = _largest(step, len(degrees))
    return scale * vector


def in_every_part(affinity: np.ndarray | LinearOperator, parts: int) -> np.ndarray:
    """As `second_eigenvector`, among the vectors that cut each of so many equal parts for itself.

    Such a vector is at right angles (in D) to the constant on every part, not only to that on all:
    no part lies on one side as a whole. Of one part it is the same.
    """
    affinity, degrees = _checked(affinity)
    root = np.sqrt(degrees)
    scale = np.divide(1, root, out=np.zeros(len(root)), where=root > 0)[:, None]
    constant = root.reshape(parts, -1, 1)
    length = np.linalg.norm(constant, axis=1, keepdims=True)
    constant = np.divide(constant, length, out=np.zeros(constant.shape), where=length > 0)

    def known(x: np.ndarray) -> np.ndarray:
        """(n, k): what of x lies along the constants."""
        x = x.reshape(parts, -1, x.shape[1])
        return (constant * (constant * x).sum(1, keepdims=True)).reshape(len(root), -1)

    def step(x: np.ndarray) -> np.ndarray:
        """D^(-1/2) W D^(-1/2) within what is allowed; -2 for the rest, and for patches out."""
        x = x.reshape(len(root), -1)
        allowed = x - known(x)
        product = scale * (affinity @ (scale * allowed))
        return product - known(product) - 2 * (x - allowed) - 2 * (root == 0)[:, None] * x

    return scale[:, 0] * _largest(step, len(root))


def dense(affinity: np.ndarray | LinearOperator) -> np.ndarray:
    """The same as released code solves it, by LAPACK on float matrices; the sign is LAPACK's too.

    Every patch needs some affinity.
    """
    affinity, degrees = _checked(affinity)
    weights = affinity @ np.eye(len(degrees))
    degrees = np.diag(weights.sum(1))
    return scipy.linalg.eigh(degrees - weights, degrees, subset_by_index=[1, 1])[1][:, 0]


def _largest(step: Callable[[np.ndarray], np.ndarray], size: int) -> np.ndarray:
    """The unit eigenvector of the largest eigenvalue, from products alone where that converges.

    Where neighbouring eigenvalues all but coincide it would take longer than LAPACK does.
    """
    if size > _DENSE:
        operator = LinearOperator((size, size), matvec=step, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(size)  # the same in every run
        with contextlib.suppress(ArpackError):
            return eigsh(operator, k=1, which="LA", v0=start, maxiter=_RESTARTS)[1][:, 0]
    matrix = step(np.eye(size))
    return scipy.linalg.eigh(matrix, subset_by_index=[size - 1, size - 1])[1][:, 0]


def _checked(affinity: np.ndarray | LinearOperator) -> tuple[LinearOperator, np.ndarray]:
    """The affinity as something that multiplies without copies, and its row sums."""
    if affinity.ndim != 2 or affinity.shape[0] != affinity.shape[1]:
        raise ValueError(f"affinity should be (n, n), got {tuple(affinity.shape)}")
    sound = True
    if isinstance(affinity, np.ndarray):
        sound = np.allclose(affinity, affinity.T) and (affinity >= 0).all()
        boolean = affinity.dtype == bool
        affinity = Thresholded(affinity, epsilon=0) if boolean else aslinearoperator(affinity)
    degrees = affinity @ np.ones(affinity.shape[1])
    if not (sound and np.isfinite(degrees).all()):
        raise ValueError("affinity should be symmetric, finite and not negative")
    return affinity, degrees
