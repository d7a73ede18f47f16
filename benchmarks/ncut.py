"""Claims about normalized cuts without a float matrix, all of one run:

- at 60 x 60 patches at least 10 times as fast as LAPACK on dense matrices, and the same vector up
  to sign to 1e-6;
- memory beside the boolean matrix grows linearly: at most 60 float64 vectors and one block of 1 MB.

    python benchmarks/ncut.py [--store]

Pictures are made up: some rectangles of like features on a ground, smooth variation and noise in
both. Times are process time on one thread, both sides on the same affinities from the boolean
matrix on; dense once each, the other the best of five. Memory is what numpy allocates at its peak.
"""

import time
import tracemalloc

import numpy as np
from command import finish, parser_of
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from evis.labels import maskcut, ncut

PICTURES = 3
SIDES = (30, 42, 60, 85, 120)  # of square grids: each has about twice the patches


def features(side: int, seed: int) -> np.ndarray:
    """(side, side, 64) float64."""
    generator = np.random.default_rng(seed)
    found = np.tile(generator.standard_normal(64), (side, side, 1))
    for _ in range(4):
        top, left = generator.integers(0, 3 * side // 4, 2)
        height, width = generator.integers(side // 8, side // 2, 2)
        found[top : top + height, left : left + width] = generator.standard_normal(64)
    smooth = gaussian_filter(generator.standard_normal(found.shape), (side / 30, side / 30, 0))
    return found + smooth / smooth.std() + 0.3 * generator.standard_normal(found.shape)


def affinity(side: int, seed: int = 0) -> ncut.Thresholded:
    flat = features(side, seed).reshape(side * side, -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    return ncut.Thresholded(flat @ flat.T > 0.15)


def seconds(function, repeats: int) -> tuple[float, np.ndarray]:
    """Of the best, and what it returned."""
    took = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        took.append(time.process_time() - start)
    return min(took), result


def against_dense() -> dict[str, float]:
    ratios, metrics = [], {}
    for seed in tqdm(range(PICTURES), desc="dense", leave=False):
        weights = affinity(60, seed)
        dense, wanted = seconds(lambda weights=weights: ncut.dense(weights), 1)
        free, found = seconds(lambda weights=weights: ncut.second_eigenvector(weights), 5)
        difference = min(np.abs(found - wanted).max(), np.abs(found + wanted).max())
        assert difference < 1e-6, f"the vectors differ by {difference}"
        ratios.append(dense / free)
        print(
            f"picture {seed}: dense {dense:.1f} s, matrix-free {1e3 * free:.0f} ms, "
            f"{dense / free:.0f} x (10), largest difference {difference:.0e}"
        )
        metrics |= {
            f"dense, s picture {seed}": dense,
            f"matrix-free, ms picture {seed}": 1e3 * free,
        }
    assert min(ratios) >= 10, "the claim does not hold here"
    return metrics | {"times as fast, least": min(ratios)}


def memory() -> dict[str, float]:
    metrics = {}
    print("patches   boolean matrix, MB   beside it, MB   vectors beyond one block")
    for side in SIDES:
        weights, patches = affinity(side), side * side
        tracemalloc.start()
        ncut.second_eigenvector(weights)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        vectors = (peak - 2**20) / (8 * patches)
        print(f"{patches:7} {patches**2 / 1e6:15.1f} {peak / 1e6:17.2f} {vectors:20.1f}")
        assert vectors <= 60, "the claim does not hold here"
        metrics[f"MB beside the boolean matrix at {patches} patches"] = peak / 1e6
    return metrics


def whole_pictures() -> dict[str, float]:
    metrics = {}
    for name, grid in {"60 x 60": (60, 60), "16 x 24": (16, 24)}.items():
        picture = features(max(grid), 0)[: grid[0], : grid[1]]
        took, _ = seconds(lambda picture=picture: maskcut.masks(picture), 5)
        print(f"MaskCut, {name} patches, three masks: {1e3 * took:.0f} ms")
        metrics[f"MaskCut, ms at {name} patches"] = 1e3 * took
    return metrics


def run() -> dict[str, float]:
    with threadpool_limits(1):
        return against_dense() | memory() | whole_pictures()


def main() -> None:
    options = parser_of(__doc__).parse_args()
    finish(options, {"name": "benchmark normalized cuts"}, "made-up features", run)


if __name__ == "__main__":
    main()
