"""Still pictures as clips: several views of one picture, turned and shifted, as if a camera moved.

This is how COCO takes part in video training. Every view shows the same objects, so that an
object's place in one frame and in the next are known without any video.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch

from evis.data.clips import Clip, ClipDataset
from evis.data.types import VISDataset


class PseudoClips(ClipDataset):
    """A clip of `frames` views for every step number, fixed by (seed, step) as in `ClipDataset`.

    The clip has one size and one flip. Each view is turned about its centre by up to `rotation`
    degrees and shifted by up to `shift` of its sides, either way; what comes into view from beyond
    the picture is black. An object that no view shows is no target. Without rotation and shift all
    views are the picture itself. Sizes, flip and seed are `ClipDataset`'s.
    """

    def __init__(
        self,
        dataset: VISDataset,
        frames: int = 4,
        rotation: float = 15.0,
        shift: float = 0.1,
        **sizes_flip_seed: Any,
    ):
        if frames < 1 or not 0 <= rotation <= 180 or not 0 <= shift < 1:
            raise ValueError(
                "frames should be at least 1, rotation in [0, 180] and shift in [0, 1), "
                f"got {frames}, {rotation} and {shift}"
            )
        super().__init__(dataset, frames=1, **sizes_flip_seed)
        self.views, self.rotation, self.shift = frames, rotation, shift

    def __getitem__(self, step: int) -> Clip:
        picture = super().__getitem__(step)
        generator = np.random.default_rng([self.seed, 2, step])
        angles = generator.uniform(-self.rotation, self.rotation, self.views)
        shifts = generator.uniform(-self.shift, self.shift, (self.views, 2))
        size = picture.frames.shape[-2:]
        moves = [turn_and_shift(*size, a, *by) for a, by in zip(angles, shifts, strict=True)]
        return views(picture, moves)


_TRUE = torch.tensor(True)


def turn_and_shift(
    height: int,
    width: int,
    angle: float,
    right: float = 0.0,
    down: float = 0.0,
    centre: Sequence[float] = (0.5, 0.5),
) -> np.ndarray:
    """A turn about the centre, then a shift, both in shares of the sides, across first: (2, 3),
    acting on (x, y, 1)."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([width, height]) * centre
    offset = centre - turn @ centre + np.array([right * width, down * height])
    return np.concatenate([turn, offset[:, None]], axis=1)


def views(picture: Clip, moves: list[np.ndarray]) -> Clip:
    """The clip of one frame, seen under each of the (2, 3) moves; targets that leave all go."""
    length = len(moves)
    own = {name: getattr(picture, name) for name in ("visible", "masks", "boxes")}
    points = picture.points
    if points is not None:
        in_view = points.new_tensor([0, 1, 0, 0, 0])
        points = torch.cat([points + view * in_view for view in range(length)])
    repeated = replace(
        picture,
        points=points,
        frames=picture.frames.expand(length, -1, -1, -1),
        frame_indices=picture.frame_indices * length,
        **{n: v if v is None else v.repeat_interleave(length, 1) for n, v in own.items()},
    )
    return moved(repeated, moves)


def moved(clip: Clip, moves: list[np.ndarray]) -> Clip:
    """Each frame of the clip under its own (2, 3) move; targets that leave all frames go."""
    length, _, height, width = clip.frames.shape
    pictures = clip.frames.permute(0, 2, 3, 1).numpy()
    each = list(zip(pictures, moves, strict=True))
    frames = np.stack([_warp(*of_frame, cv2.INTER_LINEAR) for of_frame in each])
    there: dict[str, torch.Tensor] = {}
    visible = clip.visible
    if clip.masks is not None:
        warped = [
            [_warp(mask, move, cv2.INTER_NEAREST) for mask, move in zip(own, moves, strict=True)]
            for own in clip.masks.numpy().astype(np.uint8)
        ]
        bitmaps = np.array(warped, dtype=bool).reshape(-1, length, height, width)
        there["masks"] = torch.from_numpy(bitmaps)
        visible = visible & there["masks"].flatten(2).any(-1)
    if clip.boxes is not None:
        boxes = zip(clip.boxes.unbind(1), moves, strict=True)
        boxes = torch.stack([_turned(of_frame, move) for of_frame, move in boxes], 1)
        boxes = boxes.clamp(min=torch.zeros(4), max=torch.tensor([width, height] * 2))
        sides = boxes[..., 2:] - boxes[..., :2]
        visible = visible & (sides >= 1).all(-1)
        there["boxes"] = boxes * visible.unsqueeze(-1)
    points = None
    if clip.points is not None:
        points = torch.cat([_clicks(clip, t, move) for t, move in enumerate(moves)])
        if not there:  # a click is all that tells where the object is
            visible = torch.zeros_like(visible).index_put((points[:, 0], points[:, 1]), _TRUE)
    kept = visible.any(1)
    if points is not None:
        there["points"] = points[kept[points[:, 0]]]
        there["points"][:, 0] = (kept.cumsum(0) - 1)[there["points"][:, 0]]
    return replace(
        clip,
        frames=torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(),
        track_ids=tuple(t for t, k in zip(clip.track_ids, kept.tolist(), strict=True) if k),
        labels=clip.labels[kept],
        visible=visible[kept],
        **{name: x if name == "points" else x[kept] for name, x in there.items()},
    )


def _clicks(clip: Clip, frame: int, move: np.ndarray) -> torch.Tensor:
    """The frame's clicks that stay within it: (M, 5) target, frame, x, y, positive."""
    height, width = clip.frames.shape[-2:]
    target, in_frame, *place, positive = clip.points[clip.points[:, 1] == frame].unbind(1)
    matrix = torch.from_numpy(move)
    x, y = ((torch.stack(place, 1) + 0.5).double() @ matrix[:, :2].T + matrix[:, 2]).floor().T
    rows = torch.stack([target, in_frame, x.long(), y.long(), positive], 1)
    return rows[(x >= 0) & (x < width) & (y >= 0) & (y < height)]


def _warp(picture: np.ndarray, move: np.ndarray, interpolation: int) -> np.ndarray:
    """A move is of points in the plane; OpenCV's points are pixel centres, half a pixel off."""
    of_centres = move.copy()
    of_centres[:, 2] += 0.5 * (move[:, 0] + move[:, 1]) - 0.5
    return cv2.warpAffine(picture, of_centres, picture.shape[1::-1], flags=interpolation)


def _turned(boxes: torch.Tensor, move: np.ndarray) -> torch.Tensor:
    """(N, 4) x0, y0, x1, y1 -> the boxes around their moved corners, (N, 4).

    Looser than the object's own box after a turn, the more so the larger the angle: a box alone
    does not say more.
    """
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    matrix = torch.from_numpy(move).to(boxes)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    return torch.cat([moved.amin(1), moved.amax(1)], 1)
