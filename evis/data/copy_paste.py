"""Copy-paste: objects of another picture in front of a clip's own, so that it shows more of them.

CutLER pastes into pictures, at 0.3 to 1 of their size in its first round and at 0.5 to 1 later.
VideoCutLER's pseudo videos (ImageCut2Video) are one picture three times, and what is pasted has in
each frame a size, 0.8 to 1, and a place of its own, so that it seems to move:

    CopyPaste(PseudoClips(pictures, frames=3, rotation=0, shift=0), (0.8, 1.0))
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import Dataset

from evis.data.clips import Clip, ClipDataset, Geometry
from evis.data.errors import DataError
from evis.data.masks import around

COVERED = 0.5  # what hides this much of another object, or more, is not pasted


class CopyPaste(Dataset):
    """The clips of a `ClipDataset` under the same numbers, each with objects of another of them.

    The other one is of another picture or video of the same pass over the set; of a single one
    nothing is pasted. A clip depends on (seed, step) alone, as without pasting.
    scales: the least and the greatest size of what is pasted, as shares of the clip's sides.
    """

    def __init__(self, clips: ClipDataset, scales: tuple[float, float]):
        least, most = scales
        if not 0 < least <= most <= 1:
            raise ValueError(f"scales should be two of (0, 1], the lower first, got {scales}")
        kinds = clips.dataset.kinds
        if "masks" not in kinds or "points" in kinds:
            problem = f"copy-paste cuts objects out by masks alone, and this set has {_told(kinds)}"
            raise DataError(problem, remedy="Make masks of it first (evis.labels)")
        self.clips, self.scales = clips, (least, most)

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        """The first pass."""
        return (self[step] for step in range(len(self)))

    def __getitem__(self, step: int) -> Clip:
        clip = self.clips[step]
        if len(self) == 1:
            return clip
        generator = np.random.default_rng([self.clips.seed, 4, step])
        epoch, place = divmod(step, len(self))
        other = (place + int(generator.integers(1, len(self)))) % len(self)
        return pasted(clip, self.clips[epoch * len(self) + other], self.scales, generator)


def _told(kinds: frozenset[str]) -> str:
    return " and ".join(sorted(kinds)) or "no labels"


def pasted(
    clip: Clip, source: Clip, scales: tuple[float, float], generator: np.random.Generator
) -> Clip:
    """The clip with some objects of the source's first frame in front, in all of its frames.

    One of them, or up to all but one, as released. Together they keep their places within their
    picture, which shrinks to a share of the clip's size and lies anywhere within it, in each frame
    anew. An object that would hide `COVERED` or more of one of the clip's, over all frames (in the
    released code: in the first), is left out. Of the others it takes the pixels away that it hides.
    Boxes are then those around the masks.
    """
    shown = source.masks[:, 0].flatten(1).any(1).nonzero().flatten().numpy()
    if not len(shown):
        return clip
    count = int(generator.integers(1, max(2, len(shown))))
    chosen = torch.from_numpy(generator.choice(shown, count, replace=False))
    size = tuple(clip.frames.shape[-2:])
    placed = [_placed(source, chosen, size, scales, generator) for _ in clip.frames]
    pictures, masks = torch.stack([p for p, _ in placed]), torch.stack([m for _, m in placed], 1)

    areas, own = masks.flatten(1), clip.masks.flatten(1)  # (n, T * h * w), (N, T * h * w)
    hidden = areas.float() @ own.float().T / own.sum(1).clamp(min=1)  # (n, N) shares
    kept = areas.any(1) & ~(hidden >= COVERED).any(1)
    if not kept.any():
        return clip
    masks, chosen = masks[kept], chosen[kept]
    front = masks.any(0)  # (T, h, w)
    left = clip.masks & ~front
    visible = clip.visible & left.flatten(2).any(-1)
    stays = visible.any(1)
    visible = torch.cat([visible[stays], masks.flatten(2).any(-1)])
    masks = torch.cat([left[stays], masks])
    ids = [t for t, stay in zip(clip.track_ids, stays.tolist(), strict=True) if stay]
    return replace(
        clip,
        frames=torch.where(front.unsqueeze(1), pictures, clip.frames),
        track_ids=(*ids, *(source.track_ids[n] for n in chosen.tolist())),
        labels=torch.cat([clip.labels[stays], source.labels[chosen]]),
        visible=visible,
        masks=masks,
        boxes=None if clip.boxes is None else _around(masks),
    )


def _placed(
    source: Clip,
    chosen: torch.Tensor,
    size: tuple[int, int],
    scales: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The source's first frame, smaller and shifted, on black: (3, h, w), masks (n, h, w)."""
    scale = generator.uniform(*scales)
    height, width = new_size = tuple(max(1, int(scale * side)) for side in size)
    top, left = (
        int(generator.integers(0, all_ - own + 1)) for all_, own in zip(size, new_size, strict=True)
    )
    there = slice(top, top + height), slice(left, left + width)
    geometry = Geometry(tuple(source.frames.shape[-2:]), new_size, flipped=False)
    picture = np.zeros((*size, 3), dtype=np.uint8)
    picture[there] = geometry.picture(source.frames[0].permute(1, 2, 0).numpy())
    masks = np.zeros((len(chosen), *size), dtype=bool)
    for mask, own in zip(masks, source.masks[chosen, 0].numpy(), strict=True):
        mask[there] = geometry.mask(own)
    return torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(masks)


def _around(masks: torch.Tensor) -> torch.Tensor:
    """(N, T, h, w) -> (N, T, 4) x0, y0, x1, y1 of the tight boxes; zero where a mask is empty."""
    boxes = [[around(mask) for mask in of_object] for of_object in masks.numpy()]
    return torch.tensor(boxes, dtype=torch.float32).reshape(*masks.shape[:2], 4)
