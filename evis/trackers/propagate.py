"""Labels of a first frame carried through a video by likeness of features, without any training.

DINO's protocol: a patch takes the labels of those patches of the first frame and of the last few
that it resembles most, near its own place, in proportion to the likeness.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def propagate(
    features: Tensor,
    first: Tensor,
    last_frames: int = 7,
    top_k: int = 5,
    radius: int = 12,
    temperature: float = 0.1,
) -> Tensor:
    """(T, h, w, C), (K, h, w) soft labels of the first frame -> (T - 1, K, h, w) of the others.

    The `top_k` best of all frames looked at count, with exp(cosine / temperature); ties stay.
    radius: in patches, to each side and along each axis; 0 for no limit. The labels found in a
    frame go on as they are.
    """
    if features.ndim != 4 or first.ndim != 3 or first.shape[1:] != features.shape[1:3]:
        raise ValueError(
            "features should be (frames, height, width, channels) and first (labels, height, "
            f"width), got {tuple(features.shape)} and {tuple(first.shape)}"
        )
    if min(last_frames, radius) < 0 or top_k < 1 or not temperature > 0:
        raise ValueError(
            "last_frames and radius should be at least 0, top_k at least 1, temperature above 0, "
            f"got {last_frames}, {radius}, {top_k}, {temperature}"
        )
    if not (features.isfinite().all() and first.isfinite().all()):
        raise ValueError("features and first should be finite, they hold NaN or infinity")
    features = F.normalize(features.float(), dim=-1)
    labels = [first.to(features)]
    for t in range(1, len(features)):
        context = [0, *range(max(1, t - last_frames), t)]
        seen, known = features[context], torch.stack([labels[frame] for frame in context], 1)
        with torch.autocast(features.device.type, enabled=False):
            labels.append(_carried(features[t], seen, known, top_k, radius, temperature))
    return torch.stack(labels)[1:]


def _carried(
    now: Tensor,
    seen: Tensor,
    known: Tensor,
    top_k: int,
    radius: int,
    temperature: float,
) -> Tensor:
    """(h, w, C) of one frame, (F, h, w, C) and (K, F, h, w) of those looked at -> (K, h, w).

    A row at a time, as only so many rows are near enough.
    """
    height, width, _ = now.shape
    reach = radius or max(height, width)
    columns = torch.arange(width, device=now.device)
    far = ((columns[:, None] - columns).abs() > reach)[:, None]  # (w, 1, w)
    rows = []
    for y in range(height):
        around = slice(max(0, y - reach), y + reach + 1)
        cosine = (now[y] @ seen[:, around].flatten(0, 2).T).view(width, -1, width)
        cosine = cosine.masked_fill(far, -torch.inf).flatten(1)  # (w, F * rows * w)
        least = cosine.topk(min(top_k, cosine.shape[1])).values[:, -1:]
        weights = (cosine.masked_fill(cosine < least, -torch.inf) / temperature).softmax(1)
        rows.append(known[:, :, around].flatten(1) @ weights.T)
    return torch.stack(rows, 1)


def hard(soft: Tensor, patch: int | tuple[int, int]) -> Tensor:
    """(T, K, h, w) -> (T, h * patch, w * patch) long: the label of every pixel.

    patch: its side in pixels; or the height and width of the frames, of which patches are shares.
    Each label of a frame is stretched to reach from 0 to 1 in it first, as in DINO's protocol, so
    that a small object doesn't lose to the background; one that is 0 everywhere stays so.
    """
    size = tuple(side * patch for side in soft.shape[2:]) if isinstance(patch, int) else patch
    if not soft.numel():
        return soft.new_zeros(len(soft), *size).long()
    large = F.interpolate(soft, size, mode="bilinear", align_corners=False)
    low, high = large.amin((2, 3), True), large.amax((2, 3), True)
    span = torch.where(high > low, high - low, 1)
    return ((large - low) / span).argmax(1)
