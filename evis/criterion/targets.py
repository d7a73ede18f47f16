"""What a clip asks of its prediction: objects as masks, or as boxes filled.

Under boxes nothing here reads a mask.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.data.errors import DataError
from evis.losses.tensors import check_shapes
from evis.matching import By


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


def check_clips(clips: Sequence[Clip], prediction: ClipPrediction, by: By) -> None:
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
                remedy=f"Learning from {by} needs them; evis label makes masks of what there is",
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
