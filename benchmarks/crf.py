"""Claims about the dense CRF's lattices on a CPU, all of one run:

- on 64 x 96 pixels at least 10 times as fast as the sums over all pairs, three masks at once;
- on 480 x 480, where those would take 425 GB, it runs at all, and three masks, which share the
  lattices, take at most 2.5 times as long as one.

    python benchmarks/crf.py [--store]

Pictures are made up: patches of colour, shading and noise. Times are process time on one thread,
the best of three. The IoU of both solvers' outlines is printed and judged in the tests.
"""

import time

import cv2
import numpy as np
from command import finish, parser_of
from threadpoolctl import threadpool_limits

from evis.labels import crf


def picture_and_masks(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) uint8 and (3, h, w) bool, each mask a rough version of one patch of colour."""
    generator = np.random.default_rng(0)
    picture = generator.uniform(0, 255, (4, 6, 3)).astype(np.float32)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    masks = np.zeros((3, height, width), bool)
    for number, mask in enumerate(masks):
        top, left = height * (1 + number) // 6, width * (1 + 2 * number) // 8
        picture[top : top + height // 3, left : left + width // 5] = generator.uniform(0, 255, 3)
        top, left = top + height // 20, left - width // 30
        mask[top : top + height // 3, left : left + width // 5] = True
    picture += generator.normal(0, 4, picture.shape)
    return picture.clip(0, 255).astype(np.uint8), masks


def seconds(picture: np.ndarray, masks: np.ndarray, solver: str = "fast") -> float:
    took = []
    for _ in range(3):
        start = time.process_time()
        crf.refine(picture, masks, solver=solver)
        took.append(time.process_time() - start)
    return min(took)


def run() -> dict[str, float]:
    with threadpool_limits(1):
        picture, masks = picture_and_masks(64, 96)
        fast, exact = (seconds(picture, masks, solver) for solver in ("fast", "exact"))
        large, large_masks = picture_and_masks(480, 480)
        one, three = seconds(large, large_masks[0]), seconds(large, large_masks)
    first, second = (crf.refine(picture, masks, solver=name) > 0.5 for name in ("fast", "exact"))
    overlap = (first & second).sum() / (first | second).sum()
    print(f"64 x 96, three masks: all pairs {1e3 * exact:.0f} ms, lattices {1e3 * fast:.0f} ms")
    print(f"  {exact / fast:.0f} x (10), IoU of the outlines {overlap:.3f}")
    print(f"480 x 480: one mask {one:.2f} s, three {three:.2f} s")
    assert exact / fast >= 10 and three <= 2.5 * one, "the claim does not hold here"
    return {
        "all pairs, ms at 64 x 96": 1e3 * exact,
        "lattices, ms at 64 x 96": 1e3 * fast,
        "times as fast": exact / fast,
        "IoU of the outlines": overlap,
        "one mask, s at 480 x 480": one,
        "three masks, s at 480 x 480": three,
    }


def main() -> None:
    options = parser_of(__doc__).parse_args()
    finish(options, {"name": "benchmark dense CRF"}, "made-up pictures", run)


if __name__ == "__main__":
    main()
