"""What a clip asks of its prediction: objects as masks, as boxes filled, or as clicked points.

Under boxes and points nothing here reads a mask.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.data.errors import DataError
from evis.losses.tensors import check_shapes
from evis.matching import By, Clicks

ToldBy = Literal["masks", "boxes", "points"]  # kinds of a clip's annotations
_MADE = "evis label makes masks of what there is"
_HAD = {
    "masks": _MADE,
    "boxes": _MADE,
    "points": "evis.data.supervision.weaken draws some of masks",
}


def target_masks(
    clips: Sequence[Clip], by: By, size: tuple[int, int], device: torch.device
) -> Tensor:
    """(N, T, H, W) bool: all clips' objects one after another, as masks or as boxes, filled.

    Each clip lies in the upper left corner of a canvas of this size.
    """
    if by == "masks":
        return torch.cat([pad(clip.masks, size) for clip in clips]).to(device, non_blocking=True)
    boxes, visible = (
        torch.cat([getattr(clip, name) for clip in clips]).to(device, non_blocking=True)
        for name in ("boxes", "visible")
    )
    return fill_boxes(boxes, visible, size)


def fill_boxes(boxes: Tensor, visible: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, T, 4) x0, y0, x1, y1 and (N, T) -> (N, T, H, W) bool: pixels whose centre is inside.

    A visible box has a pixel at least.
    """
    height, width = size
    rows = _between(boxes[..., 1], boxes[..., 3], height) & visible.unsqueeze(-1)
    columns = _between(boxes[..., 0], boxes[..., 2], width)
    return rows.unsqueeze(-1) & columns.unsqueeze(-2)


def _between(start: Tensor, end: Tensor, length: int) -> Tensor:
    """(N, T) each -> (N, T, length) bool."""
    first = start.round().clamp(0, length - 1)
    end = end.round().maximum(first + 1)
    place = torch.arange(length, device=start.device)
    return (place >= first.unsqueeze(-1)) & (place < end.unsqueeze(-1))


def pad(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., h, w) -> (..., H, W), zeros on the right and below."""
    height, width = picture.shape[-2:]
    if (height, width) == size:
        return picture
    return F.pad(picture, (0, size[1] - width, 0, size[0] - height))


def clicked(
    clips: Sequence[Clip], size: tuple[int, int], device: torch.device, cross_instance: bool
) -> Clicks:
    """What the clicks say of all clips' objects, one after another, each clip on such a canvas.

    cross_instance: positive clicks on others are negatives of an object where it has a click too.
    """
    first, parts = 0, []
    for clip in clips:
        rows = clip.points
        if cross_instance:
            rows = torch.cat([rows, _of_others(rows, len(clip.labels), len(clip.frames))])
        parts.append(rows + torch.tensor([first, 0, 0, 0, 0]))
        first += len(clip.labels)
    rows = torch.cat(parts)
    frames = len(clips[0].frames)
    cell = rows[:, 0] * frames + rows[:, 1]  # an object in a frame
    rows = rows[cell.argsort(stable=True)]
    counts = torch.bincount(cell, minlength=first * frames)
    counted = torch.arange(max([1, *counts.tolist()])) < counts[:, None]
    positive, places = torch.zeros_like(counted), torch.zeros(*counted.shape, 2)
    positive[counted] = rows[:, 4] == 1
    places[counted] = (rows[:, 2:4] + 0.5) / torch.tensor([size[1], size[0]])
    return Clicks(
        *(x.unflatten(0, (first, frames)).to(device) for x in (places, positive, counted))
    )


def _of_others(rows: Tensor, objects: int, frames: int) -> Tensor:
    """A clip's positive rows, as negative ones of every other object that the frame shows."""
    shows = torch.zeros(objects, frames, dtype=torch.bool)
    shows[rows[:, 0], rows[:, 1]] = True
    owner, frame, x, y, _ = rows[rows[:, 4] == 1].unbind(1)
    target, click = (
        (shows[:, frame] & (torch.arange(objects)[:, None] != owner)).nonzero().unbind(1)
    )
    return torch.stack([target, frame[click], x[click], y[click], torch.zeros_like(target)], 1)


def check_clips(clips: Sequence[Clip], prediction: ClipPrediction, by: ToldBy) -> None:
    """Whether the clips carry what they are matched by and fit what was predicted for them."""
    layers = (*prediction.layers, prediction)
    check_shapes(**{f"layer {n}": (x.mask_logits, "B Q T h w") for n, x in enumerate(layers)})
    batch, _, frames, height, width = prediction.mask_logits.shape
    stride = prediction.stride
    if len(clips) != batch:
        raise ValueError(f"a prediction of {batch} clips came with the targets of {len(clips)}")
    for clip in clips:
        if getattr(clip, by) is None:
            raise DataError(
                f"the clip carries no {by}",
                video=clip.video_id,
                remedy=f"Learning from {by} needs them; {_HAD[by]}",
            )
        if by == "boxes" and not clip.boxes.isfinite().all():
            raise DataError("a box holds NaN or infinity", video=clip.video_id, field="boxes")
        length, _, clip_height, clip_width = clip.frames.shape
        if length != frames or clip_height > stride * height or clip_width > stride * width:
            raise DataError(
                f"a clip of {length} frames of {clip_height} x {clip_width} (height x width) "
                f"doesn't fit logits of {frames} frames of {height} x {width}",
                video=clip.video_id,
                remedy=f"A logit stands for {stride} x {stride} pixels of a padded frame",
            )
