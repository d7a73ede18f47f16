"""Masks on frames, and what a query of a video Mask2Former looks at, layer by layer."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor
from torch.nn.functional import interpolate

from evis.companion.plots import pictures
from evis.inference import drawing


def frame(clip, t: int) -> np.ndarray:
    """(h, w, 3)"""
    return np.ascontiguousarray(clip.frames[t].permute(1, 2, 0))


def masked(picture: np.ndarray, logits: Tensor, rgb: tuple, fade: bool = True) -> np.ndarray:
    """The mask where logits (h', w'), enlarged, are above 0, on a picture that is faded first."""
    size = picture.shape[:2]
    large = interpolate(logits[None, None], size, mode="bilinear", align_corners=False)
    if fade:
        picture = (0.55 * picture + 0.45 * 255).astype(np.uint8)
    return drawing.draw_mask(picture, (large[0, 0] > 0).numpy(), rgb)


def layer_by_layer(clip, learned: Tensor, looks: Sequence, times: Sequence[int], rgb: tuple):
    """A row a layer: what is open to one query, what it reads, and its mask afterwards.

    learned: the logits (T, h, w) of its mask when it has read nothing, in a row above the others.
    looks: as `evis.companion.model_parts.follow` gives them.
    """
    frames = {t: frame(clip, t) for t in times}
    nothing = np.full_like(frames[times[0]], 255)
    rows = [[nothing] * 2 * len(times) + [masked(frames[t], learned[t], rgb) for t in times]]
    for look in looks:
        brightest = max(float(look.weights[t].max()) for t in times)
        brightness = look.weights / (brightest or 1)  # 0 where it reads other frames alone
        veiled = [_veiled(frames[t], look.open[t].numpy()) for t in times]
        read = [plt.get_cmap("magma")(brightness[t].numpy())[..., :3] for t in times]
        rows.append(veiled + read + [masked(frames[t], look.mask[t], rgb) for t in times])
    labels = ["has read\nnothing", *(f"layer {n}" for n in range(1, len(rows)))]
    kinds = ("open (Eq. 3)", "attention (Eq. 2)", "mask")
    return pictures.strip(rows, labels, [f"{kind}, t = {t}" for kind in kinds for t in times])


def _veiled(picture: np.ndarray, open_: np.ndarray) -> np.ndarray:
    """The picture, all but the open pixels (of a coarser grid) under a dark veil."""
    light = np.where(drawing.enlarge(open_, picture.shape[0] // len(open_)), 1.0, 0.15)
    return (picture * light[..., None]).astype(np.uint8)
