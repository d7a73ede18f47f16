"""From data sets to numbered micro-batches: the engine's door, through which no mask slips.

Which clips a micro-batch holds depends on its number and the recipe alone, not on processes,
workers or where a run was resumed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from evis.data.clips import Clip, ClipDataset
from evis.data.copy_paste import CopyPaste
from evis.data.errors import DataError
from evis.data.pseudo_clips import PseudoClips
from evis.data.supervision import weaken
from evis.data.types import VISDataset
from evis.data.varied import Varied
from evis.training.recipe import Recipe

KEPT_BYTES = 2**30  # of decoded frames, by each process
# ImageNet's mean colour, RGB: what pictures are normalised by, so that to a network it is 0.
PADDING = torch.tensor([124, 116, 104], dtype=torch.uint8).view(3, 1, 1)


@dataclass(frozen=True)
class Batch:
    """Clips of equal length, and their frames on one canvas, each in its upper left corner."""

    clips: list[Clip]
    frames: Tensor  # (B, T, 3, H, W) uint8

    def pin_memory(self) -> "Batch":
        """Where a GPU can fetch it while the host goes on; the loader calls this."""
        return self._each(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device) -> "Batch":
        """With what is large on the device; the clips' frames are views of the canvas there."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        frames, clips = change(self.frames), []
        for place, clip in zip(frames, self.clips, strict=True):
            height, width = clip.frames.shape[-2:]
            masks = None if clip.masks is None else change(clip.masks)
            clips.append(replace(clip, frames=place[..., :height, :width], masks=masks))
        return replace(self, clips=clips, frames=frames)


def admit(recipe: Recipe, datasets: Mapping[str, VISDataset]) -> dict[str, VISDataset]:
    """The recipe's sources, weakened to its supervision, under the first source's classes."""
    names = [name for name, _ in recipe.mixture]
    missing = [name for name in names if name not in datasets]
    if missing:
        raise DataError(
            f"{recipe.name} learns from {' and '.join(names)}, there is no {missing[0]!r}",
            remedy=f"Given: {', '.join(datasets) or 'nothing'}",
        )
    weakened = {name: weaken(datasets[name], recipe.supervision) for name in names}
    categories = weakened[names[0]].categories
    if not categories:
        problem = f"{names[0]}: lists no categories, so that there is nothing to learn a name of"
        raise DataError(problem, field="categories", remedy="Add at least one")
    return {
        name: dataset if name == names[0] else dataset.under_classes(categories, recipe.renames)
        for name, dataset in weakened.items()
    }


class Batches(Dataset):
    """Micro-batch number -> `Batch`, all clips of one source, so that they are of one length.

    Sources take turns at random, by their shares. Each source's clips are numbered through, so that
    a pass over it shows every video once.
    """

    def __init__(self, recipe: Recipe, sources: Mapping[str, VISDataset], keep_frames: bool):
        self.clips = [
            clips_of(recipe, _keeping(sources[name]) if keep_frames else sources[name])
            for name, _ in recipe.mixture
        ]
        shares = np.array([share for _, share in recipe.mixture])
        draws = np.random.default_rng([recipe.seed, 3]).random(recipe.steps * recipe.micro_batches)
        edges = np.cumsum(shares / shares.sum())[:-1]
        self.source = np.searchsorted(edges, draws, side="right")
        self.turn = np.zeros(len(draws), dtype=np.int64)  # earlier micro-batches of the same source
        for source in range(len(self.clips)):
            its = self.source == source
            self.turn[its] = np.arange(its.sum())
        self.size = recipe.micro_batch

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, number: int) -> Batch:
        clips = self.clips[self.source[number]]
        first = int(self.turn[number]) * self.size
        return together([clips[n] for n in range(first, first + self.size)])


def together(clips: list[Clip]) -> Batch:
    height = max(clip.frames.shape[-2] for clip in clips)
    width = max(clip.frames.shape[-1] for clip in clips)
    frames = PADDING.expand(len(clips), len(clips[0].frames), 3, height, width).clone()
    for place, clip in zip(frames, clips, strict=True):
        place[..., : clip.frames.shape[-2], : clip.frames.shape[-1]] = clip.frames
    return Batch(clips, frames)


def clips_of(recipe: Recipe, dataset: VISDataset) -> Dataset:
    """A data set's clips by number, as the recipe draws and sizes them; views of still pictures,
    each with objects of another where the recipe pastes. Where it varies frames, so varied.
    """
    size = {
        "shorter_sides": recipe.shorter_sides,
        "longest_side": recipe.longest_side,
        "flip": recipe.flip,
        "seed": recipe.seed,
    }
    if dataset.are_stills:
        clips = PseudoClips(dataset, recipe.still_frames, recipe.rotation, recipe.shift, **size)
        clips = CopyPaste(clips, recipe.copy_paste) if recipe.copy_paste else clips
    else:
        clips = ClipDataset(dataset, recipe.frames, recipe.frame_range, **size)
    varied = recipe.frame_rotation, recipe.brightness, recipe.contrast
    return Varied(clips, *varied, seed=recipe.seed) if any(varied) else clips


def _keeping(dataset: VISDataset) -> VISDataset:
    """With decoded frames kept in memory: small sets are read again and again."""
    if dataset.read_frame is None or not dataset.videos:  # which is said of its clips
        return dataset
    first = dataset.videos[0]
    bytes_each = 3 * first.height * first.width
    kept = lru_cache(max(1, KEPT_BYTES // bytes_each))(dataset.read_frame)
    return replace(dataset, read_frame=kept)
