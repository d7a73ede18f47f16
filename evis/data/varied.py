"""Frames of a clip that differ in pose and light, as if the camera had been turned between them.

As VideoMask2Former's released training has it, on which VideoCutLER's and FlowCut's stand: each
frame has a turn, a brightness and a contrast of its own. Masks and boxes follow the turn alone.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import Dataset

from evis.data.clips import Clip
from evis.data.errors import DataError
from evis.data.pseudo_clips import moved, turn_and_shift

CENTRE = (0.4, 0.6)  # a frame is turned about a point that lies within these shares of its sides


class Varied(Dataset):
    """The clips of another data set under the same numbers, each frame varied for itself.

    rotation: degrees, either way; what comes into view from beyond the frame is black. brightness:
    factors of all colours lie so far from 1; contrast: those of their distance from the frame's
    mean. A clip depends on (seed, step) alone.
    """

    def __init__(
        self,
        clips: Dataset,
        rotation: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        seed: int = 0,
    ):
        if not (0 <= rotation <= 180 and 0 <= brightness <= 1 and 0 <= contrast <= 1):
            given = f"{rotation}, {brightness} and {contrast}"
            raise ValueError(
                f"rotation should be in [0, 180], brightness and contrast in [0, 1], are {given}"
            )
        self.clips, self.seed = clips, seed
        self.rotation, self.brightness, self.contrast = rotation, brightness, contrast

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        """The first pass."""
        return (self[step] for step in range(len(self)))

    def __getitem__(self, step: int) -> Clip:
        clip = self.clips[step]
        if self.rotation and clip.points is not None:
            problem = "frames are turned under masks, boxes or nothing, and this clip has points"
            raise DataError(problem, remedy="Set frame_rotation to 0")
        generator = np.random.default_rng([self.seed, 5, step])
        length, size = len(clip.frames), clip.frames.shape[-2:]
        ranges = self.rotation, self.brightness, self.contrast
        angles, lights, contrasts = (generator.uniform(-far, far, length) for far in ranges)
        centres = generator.uniform(*CENTRE, (length, 2))
        clip = replace(clip, frames=lit(clip.frames, 1 + lights, 1 + contrasts))
        if not self.rotation:
            return clip
        turns = zip(angles, centres, strict=True)
        return moved(clip, [turn_and_shift(*size, angle, centre=at) for angle, at in turns])


def lit(frames: torch.Tensor, brightness: np.ndarray, contrast: np.ndarray) -> torch.Tensor:
    """(T, 3, h, w) uint8, a factor of each a frame -> the same: brighter first, then starker."""
    brighter, starker = (torch.from_numpy(x).view(-1, 1, 1, 1) for x in (brightness, contrast))
    light = frames * brighter
    mean = light.mean((1, 2, 3), keepdim=True)
    return (mean + starker * (light - mean)).round().clamp(0, 255).to(torch.uint8)
