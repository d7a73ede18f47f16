"""A training run of seconds: bright boxes that drift over noise, and the smallest toy model.

As a program, the run that other processes of the tests make:

    small.py FOLDER name=RECIPE save_every=STEPS [dtype=float64] [KEY=VALUE ...]
"""

import sys
from dataclasses import replace

import numpy as np
import torch

from evis.data import masks
from evis.data.types import Category, Track, Video, VISDataset
from evis.papers.eigencluster import method
from evis.papers.eigencluster.recipes import Stage, named, toy
from evis.training import changed, train

HEIGHT, WIDTH = 32, 48


def dataset(videos: int = 4, frames: int = 5, seed: int = 0, noise_masks: bool = False):
    """`videos` of `frames` frames with two objects each; their masks may be noise."""
    names = ("red", "blue") if frames > 1 else ("blue", "red", "green")
    categories = tuple(Category(n, name) for n, name in enumerate(names, 1))
    noise = np.random.default_rng(seed)
    made, tracks, pictures = [], [], {}
    for number in range(1, videos + 1):
        generator = np.random.default_rng([seed, frames, number])
        made.append(Video(number, f"v{number}", HEIGHT, WIDTH, ("frame.png",) * frames))
        shades = generator.integers(0, 100, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
        for t in range(frames):  # a background that stays, so that patches find their match
            pictures[number, t] = shades.repeat(8, 0).repeat(8, 1)
        for category in (1, 2):
            x, y, w, h = generator.integers((0, 0, 8, 8), (24, 12, 18, 16))
            boxes, found = [], []
            for t in range(frames):
                left = int(min(x + t, WIDTH - w))
                boxes.append((float(left), float(y), float(w), float(h)))
                mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
                mask[y : y + h, left : left + w] = True
                pictures[number, t][mask, 2 * category - 2] = 250
                found.append(noise.random(mask.shape) < 0.5 if noise_masks else mask)
            encoded = tuple(masks.encode(mask) for mask in found)
            areas = tuple(float(mask.sum()) for mask in found)
            identifier = len(tracks) + 1
            tracks.append(Track(identifier, number, category, tuple(boxes), encoded, areas))

    def read(video: Video, frame: int) -> np.ndarray:
        return pictures[video.id, frame]

    return VISDataset(tuple(made), tuple(tracks), categories, read)


def datasets(**options):
    return {"videos": dataset(**options), "stills": dataset(**options | {"frames": 1})}


def uneven():
    """As `datasets`, but the first video has one object."""
    both = datasets()
    return both | {"videos": replace(both["videos"], tracks=both["videos"].tracks[1:])}


def recipe(name: str = "eigencluster.stage3", **changes) -> Stage:
    small = toy(named(name))
    small = replace(
        small,
        init=None,
        model="tiny_s",
        frames=2,
        shorter_sides=(24, HEIGHT),
        steps=6,
        batch=2,
        micro_batch=1,
        warm_up_steps=2,
        settings=replace(small.settings, points=100, warm_up_steps=3, scale=2),
    )
    return changed(small, changes)


class Watched:
    """The lead paper's method; `look(terms, clips, step)` may replace the terms of its loss."""

    def __init__(self, look):
        self.look = look
        self.build = method.build

    def loss(self, recipe):
        real = method.loss(recipe)

        def watched(prediction, clips, step, generator):
            terms = real(prediction, clips, step, generator)
            return self.look(terms, clips, step) or terms

        return watched


if __name__ == "__main__":
    folder, *arguments = globals().get("ARGUMENTS", sys.argv[1:])
    options = dict(argument.split("=") for argument in arguments)
    name, every = options.pop("name"), int(options.pop("save_every"))
    torch.set_default_dtype(getattr(torch, options.pop("dtype", "float32")))
    train(
        recipe(name, **options),
        uneven(),
        folder,
        method,
        device="cpu",
        threads=1,
        save_every=every,
        progress=False,
    )
