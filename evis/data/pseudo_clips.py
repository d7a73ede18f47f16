"""Still pictures as clips: several views of one picture, turned and shifted, as if a camera moved.

This is how COCO takes part in video training. Every view shows the same objects, so that an
object's place in one frame and in the next are known without any video.
"""

import math
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
        moves = [_move(*size, angle, *shift) for angle, shift in zip(angles, shifts, strict=True)]
        return views(picture, moves)


_TRUE = torch.tensor(True)


def _move(height: int, width: int, angle: float, right: float, down: float) -> np.ndarray:
    """A turn about the centre, then a shift by shares of the sides: (2, 3), acting on (x, y, 1)."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([width, height]) / 2
    offset = centre - turn @ centre + np.array([right * width, down * height])
    return np.concatenate([turn, offset[:, None]], axis=1)


def views(picture: Clip, moves: list[np.ndarray]) -> Clip:
    """The clip of one frame, seen under each of the (2, 3) moves; targets that leave all go."""
    height, width = picture.frames.shape[-2:]
    frame = picture.frames[0].permute(1, 2, 0).numpy()
    frames = np.stack([_warp(frame, move, cv2.INTER_LINEAR) for move in moves])
    moved: dict[str, torch.Tensor] = {}
    visible = picture.visible.expand(-1, len(moves))
    if picture.masks is not None:
        masks = picture.masks[:, 0].numpy().astype(np.uint8)
        warped = [[_warp(mask, move, cv2.INTER_NEAREST) for move in moves] for mask in masks]
        bitmaps = np.array(warped, dtype=bool).reshape(len(masks), len(moves), height, width)
        moved["masks"] = torch.from_numpy(bitmaps)
        visible = visible & moved["masks"].flatten(2).any(-1)
    if picture.boxes is not None:
        boxes = torch.stack([_turned(picture.boxes[:, 0], move) for move in moves], 1)
        boxes = boxes.clamp(min=torch.zeros(4), max=torch.tensor([width, height] * 2))
        sides = boxes[..., 2:] - boxes[..., :2]
        visible = visible & (sides >= 1).all(-1)
        moved["boxes"] = boxes * visible.unsqueeze(-1)
    points = None
    if picture.points is not None:
        points = torch.cat([_clicks(picture, t, move) for t, move in enumerate(moves)])
        if not moved:  # a click is all that tells where the object is
            visible = torch.zeros_like(visible).index_put((points[:, 0], points[:, 1]), _TRUE)
    kept = visible.any(1)
    if points is not None:
        moved["points"] = points[kept[points[:, 0]]]
        moved["points"][:, 0] = (kept.cumsum(0) - 1)[moved["points"][:, 0]]
    return replace(
        picture,
        frames=torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(),
        frame_indices=picture.frame_indices * len(moves),
        track_ids=tuple(t for t, k in zip(picture.track_ids, kept.tolist(), strict=True) if k),
        labels=picture.labels[kept],
        visible=visible[kept],
        **{name: x if name == "points" else x[kept] for name, x in moved.items()},
    )


def _clicks(picture: Clip, view: int, move: np.ndarray) -> torch.Tensor:
    """The clicks that stay within this view: (M, 5) target, view, x, y, positive."""
    height, width = picture.frames.shape[-2:]
    target, _, *place, positive = picture.points.unbind(1)
    matrix = torch.from_numpy(move)
    x, y = ((torch.stack(place, 1) + 0.5).double() @ matrix[:, :2].T + matrix[:, 2]).floor().T
    rows = torch.stack([target, torch.full_like(target, view), x.long(), y.long(), positive], 1)
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
