"""Claims about one cut of a whole video (evis/labels/volume.py), all of one run:

- memory grows linearly with frames: at most 2.1 times at twice as many;
- 100 frames of 30 x 53 patches, 480 x 854 pixels, take at least 40 times less than the 350 GB of
  the machine that TokenCut's authors cut that many with (their TokenCut_video, issue 2).

And whether it helps: on toy videos, the best mask of each object in each frame, cut frame by frame
and all frames at once.

    python benchmarks/video_cut.py [--store]

Features and flow of the first are made up. Memory is what numpy allocates at its peak, boolean
matrices among it.
"""

import argparse
import tracemalloc

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from evis.companion import store
from evis.data import toy
from evis.foundation import colour, flow
from evis.labels import crf, maskcut, volume

REPORTED, TIMES = 350e9, 40
GRID = 30, 53
FRAMES = (25, 50, 100)
VIDEOS = 10


def features(frames: int) -> list[np.ndarray]:
    """Of a block that goes right before a ground, patch by patch and back."""
    generator = np.random.default_rng(0)
    made = []
    for t in range(frames):
        of_frame = np.tile(np.eye(16)[0], (*GRID, 1))
        left = 5 + abs(t % 60 - 30)
        of_frame[8:20, left : left + 12] = np.eye(16)[1]
        made.append(of_frame + 0.1 * generator.standard_normal(of_frame.shape))
    return made


def memory() -> dict[str, float]:
    metrics, peaks = {}, []
    for frames in tqdm(FRAMES, desc="memory", leave=False):
        given = features(frames)
        stays = np.tile(np.arange(GRID[0] * GRID[1]), (frames - 1, 1))
        tracemalloc.start()
        found = volume.masks(given, stays, count=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.any()
        print(f"{frames:4} frames: {peaks[-1] / 1e6:6.0f} MB")
        metrics[f"MB at {frames} frames"] = peaks[-1] / 1e6
    growth = max(more / less for less, more in zip(peaks, peaks[1:], strict=False))
    ratio = REPORTED / peaks[-1]
    print(f"at most {growth:.2f} times at twice as many (2.1); {ratio:.0f} times less (40)")
    assert growth <= 2.1 and ratio >= TIMES, "the claim does not hold here"
    return metrics | {"times at twice as many, most": growth, "times less": ratio}


def helps() -> dict[str, float]:
    """Mean IoU of every visible object's best mask in every frame, in percent."""
    dataset = toy.sample("toy-ytvis19", VIDEOS)
    scores: dict[str, list[float]] = {"frame by frame": [], "all frames at once": []}
    for video in tqdm(dataset.videos, "toy videos", leave=False):
        pictures = [dataset.frame(video.id, t) for t in range(video.length)]
        patches = [colour.features(picture) for picture in pictures]
        pairs = zip(pictures, pictures[1:], strict=False)
        grid = patches[0].shape[:2]
        moves = np.stack([volume.follow(flow.dis(*pair), grid) for pair in pairs])
        together = volume.masks(patches, moves)
        truth = dataset.mask_stack(video.id)
        for t, picture in enumerate(pictures):
            cut = {
                "frame by frame": maskcut.masks(patches[t]),
                "all frames at once": together[:, t],
            }
            for name, masks in cut.items():
                large = crf.enlarged(picture, masks)
                for mask in truth[:, t]:
                    if mask.any():
                        shared = (large & mask).sum((1, 2))
                        scores[name].append((shared / (large | mask).sum((1, 2))).max())
    means = {f"best IoU, %, {name}": 100 * float(np.mean(s)) for name, s in scores.items()}
    print("; ".join(f"{name} {value:.1f}" for name, value in means.items()))
    return means


def run() -> dict[str, float]:
    with threadpool_limits(1):
        return memory() | helps()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", action="store_true", help="keep the numbers in data/results")
    options = parser.parse_args()
    if options.store:
        recipe = {"name": "benchmark cut of a whole video"}
        store.measure(recipe, "made-up features and toy-ytvis19", 0, run, recompute=True)
    else:
        run()


if __name__ == "__main__":
    main()
