"""Optical flow: how far each pixel of a frame has moved in another, and the picture of it.

An estimator is a plain function (frame, frame) -> flow: frames (h, w, 3) uint8 RGB, flow (h, w, 2)
float32, right and down in pixels. `dis` runs anywhere; `raft` needs torchvision and its weights.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from evis.data import files, torch_files
from evis.data.errors import DataError

Estimator = Callable[[np.ndarray, np.ndarray], np.ndarray]

GAP = 4  # frames between the two (FlowCut, section 4.1)
DIS_SMALLEST, RAFT_SMALLEST = 16, 128  # sides that they can work on
# Steps from red over yellow, green, cyan, blue and magenta to red, as eyes tell them apart.
WHEEL_STEPS = (15, 6, 4, 11, 13, 6)


def dis(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dense inverse search (OpenCV), at its medium preset."""
    check_frames(first, second)
    return search(*(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)))


def search(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`dis` of greys, (h, w) uint8 each.

    Its pyramid is made for the width alone, and OpenCV 5 reads beyond flat or tiny pictures: these
    go on below and to the right as their border is.
    """
    height, width = first.shape
    wide = max(width, DIS_SMALLEST)
    high = max(height, DIS_SMALLEST, -(-2 * wide // 5))
    grey = [np.pad(x, ((0, high - height), (0, wide - width)), "edge") for x in (first, second)]
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return estimator.calc(*grey, None)[:height, :width]


def raft(
    weights: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    iterations: int = 20,
) -> Estimator:
    """RAFT from a file of torchvision's weights for `raft_large`; nothing is downloaded.

    The paper does not say how many iterations; we take 20, as TokenCut's videos do.
    """
    remedy = "Download torchvision's raft_large weights and give the path of the .pth file"
    if not files.regular(weights).exists():
        raise DataError("there is no such file", file=weights, remedy=remedy)
    try:
        from torchvision.models.optical_flow import raft_large
    except ImportError:
        instead = "pip install torchvision, or use dis, OpenCV's"
        problem = "RAFT needs torchvision, which is not installed"
        raise DataError(problem, file=weights, remedy=instead) from None
    network = raft_large(weights=None, progress=False)
    try:
        network.load_state_dict(torch_files.weights(weights))
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        problem = f"these are no weights of torchvision's raft_large ({said})"
        raise DataError(problem, file=weights, remedy=remedy) from None
    network = network.to(device, dtype).eval()

    @torch.no_grad()
    def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        check_frames(first, second)
        height, width = first.shape[:2]
        below, beside = (max(RAFT_SMALLEST, -(-side // 8) * 8) - side for side in (height, width))
        pictures = torch.from_numpy(np.stack([first, second])).to(device).permute(0, 3, 1, 2)
        padded = F.pad(pictures / 127.5 - 1, (0, beside, 0, below), mode="replicate").to(dtype)
        flow = network(padded[:1], padded[1:], num_flow_updates=iterations)[-1][0]
        return flow[:, :height, :width].permute(1, 2, 0).float().cpu().numpy()

    return estimate


def partner(frame: int, length: int, gap: int = GAP) -> int:
    """The frame that a frame's flow goes to: `gap` later, or earlier at the end of a video.

    In a video too short for either it is the first or the last frame, whichever is farther (the
    paper does not say). A frame alone has no partner.
    """
    if not 0 <= frame < length:
        raise ValueError(f"there is no frame {frame} in a video of {length}")
    if length == 1:
        problem, remedy = "a video of one frame, in which nothing moves", "Give two frames at least"
        raise DataError(problem, remedy=remedy)
    if frame + gap < length:
        return frame + gap
    if frame - gap >= 0:
        return frame - gap
    return 0 if frame > length - 1 - frame else length - 1


def of_frame(
    frames: Sequence[np.ndarray], frame: int, estimator: Estimator = dis, gap: int = GAP
) -> np.ndarray:
    """The flow from a frame of a video to its `partner`, (h, w, 2)."""
    return estimator(frames[frame], frames[partner(frame, len(frames), gap)])


def colours(flow: np.ndarray) -> np.ndarray:
    """(h, w, 2) u, v -> (h, w, 3) uint8 RGB: the direction as hue, the length as saturation.

    Lengths are shares of the longest, so that a flow that is the same everywhere is fully
    saturated; no flow is white.
    """
    flow = np.asarray(flow)
    if flow.ndim != 3 or flow.shape[2] != 2 or not np.isfinite(flow).all():
        raise ValueError(f"a flow should be (h, w, 2) finite numbers, is {flow.shape}")
    flow = flow.astype(np.promote_types(flow.dtype, np.float32))  # squares overflow narrower ones
    longest = np.sqrt(np.square(flow).sum(-1)).max(initial=0.0)
    return painted(flow / (longest + 1e-5))


def painted(flow: np.ndarray) -> np.ndarray:
    """(h, w, 2), lengths in 0..1, -> (h, w, 3) uint8; beyond 1 colours are dark."""
    u, v = flow[..., 0], flow[..., 1]
    length = np.sqrt(np.square(u) + np.square(v))[..., None]
    place = (np.arctan2(-v, -u) / np.pi + 1) / 2 * (len(HUES) - 1)
    before = np.floor(place).astype(int)
    share = (place - before)[..., None]
    hue = (1 - share) * HUES[before] + share * HUES[(before + 1) % len(HUES)]
    rgb = np.where(length <= 1, 1 - length * (1 - hue), 0.75 * hue)
    return np.floor(255 * rgb).astype(np.uint8)


def wheel() -> np.ndarray:
    """(55, 3) RGB in 0..255: around the wheel, one channel at a time rises or falls."""
    rows = []
    for number, steps in enumerate(WHEEL_STEPS):
        full, moving = (number + 1) // 2 % 3, (1 - number) % 3
        rising = number % 2 == 0
        ramp = np.floor(255 * np.arange(steps) / steps)
        arc = np.zeros((steps, 3))
        arc[:, full] = 255
        arc[:, moving] = ramp if rising else 255 - ramp
        rows.append(arc)
    return np.concatenate(rows)


HUES = wheel() / 255


def check_frames(first: np.ndarray, second: np.ndarray) -> None:
    for frame in (first, second):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f"frames should be (h, w, 3) uint8, got {frame.shape} {frame.dtype}")
    if first.shape != second.shape:
        raise ValueError(f"two frames of one video have one size, got {first.shape, second.shape}")
