"""UVIS's prototype memory filtering (section 3.1): instances unlike their class's prototypes go.

K-means on the embeddings of each class's instances gives its prototypes; an instance whose best
cosine to them is below tau is taken for a wrong name. One so odd that it gets a prototype of its
own stays, so the more prototypes, the less is dropped.
"""

import numpy as np
from sklearn.cluster import KMeans

from evis.data.errors import DataError
from evis.labels.names import unit

EACH = 50  # instances a prototype


def keep(
    embeddings: np.ndarray,
    classes: np.ndarray,
    tau: float = 0.7,
    instances_each: float = EACH,
    seed: int = 0,
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """(n, C), (n,) int -> (n,) bool, which instances stay, and the prototypes (k, C) of each class.

    The paper says that k is proportional to a class's instances, not by how much; we take one for
    every `instances_each`, rounded up. It doesn't say whether K-means sees embeddings as they are;
    we bring them to length 1, as what follows is cosine, and its centres too. A class of one
    instance is its own prototype.
    """
    classes = np.asarray(classes)
    embeddings = np.asarray(embeddings, dtype=float)
    embeddings = embeddings if embeddings.size else embeddings.reshape(0, 1)
    if embeddings.ndim != 2 or classes.shape != embeddings.shape[:1]:
        raise DataError(
            f"embeddings {embeddings.shape} and classes {classes.shape} should be (n, C) and (n,)"
        )
    if not (-1 <= tau <= 1 and instances_each > 0):
        raise ValueError(
            f"tau should be a cosine, instances_each above 0, got {tau}, {instances_each}"
        )
    embeddings = unit(embeddings, "instances")
    kept = np.zeros(len(classes), dtype=bool)
    prototypes = {}
    for number in np.unique(classes).tolist():
        rows = np.flatnonzero(classes == number)
        count = max(1, int(np.ceil(len(rows) / instances_each)))
        prototypes[number] = centroids(embeddings[rows], count, seed)
        kept[rows] = (embeddings[rows] @ prototypes[number].T).max(1) >= tau
    return kept, prototypes


def centroids(points: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """(n, C) of length 1 -> (k, C), also of length 1, or 0 where points cancel out; k <= count."""
    distinct = len(np.unique(points, axis=0))
    kmeans = KMeans(min(count, distinct), random_state=seed).fit(points)
    lengths = np.linalg.norm(kmeans.cluster_centers_, axis=1, keepdims=True)
    return kmeans.cluster_centers_ / np.where(lengths > 0, lengths, 1)
