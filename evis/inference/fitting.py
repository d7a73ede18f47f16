"""What "auto" stands for in `Options`: the size and the window that suit a model and a machine.

A video that needs less than 1 GiB at once is seen whole on any machine. Others get at most a
quarter of the memory that is free, and at most 4 GiB, so that machines with 16 GiB or more choose
alike. Windows are 1, 2, 4, 8, ... frames long, for the same reason.
"""

from dataclasses import replace
from pathlib import Path

import psutil
import torch
from torch import nn

from evis.inference.options import Options
from evis.models import VideoMask2Former, footprint

LEAST, MOST = 2**30, 2**32  # bytes for one window
CGROUPS, CGROUP_ROOT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def fitted(
    options: Options, model: nn.Module, frames: int, size: tuple[int, int], budget: int
) -> Options:
    """The options without "auto", for a video of so many frames of this size (height, width).

    budget: bytes, as `memory_budget` gives them. A model that is not evis's own sees videos whole
    and at their own size, as nothing is known of it.
    """
    if options.shorter_side == "auto":
        trained_at = getattr(model, "shorter_side", None)
        side = None if trained_at is None else min(trained_at, *size)
        options = replace(options, shorter_side=side)
    if options.window == "auto":
        window = None
        if isinstance(model, VideoMask2Former):
            window = _window(model, frames, options.seen_size(*size), budget)
        options = replace(options, window=window)
    return options


def _window(model: VideoMask2Former, frames: int, size: tuple[int, int], budget: int) -> int | None:
    a_frame = footprint.of_frame(model.config, *size)
    fits = (budget - footprint.of_seeing(*size)) // a_frame
    if frames <= fits:
        return None
    return 2 ** (max(1, fits).bit_length() - 1)


def memory_budget(device: torch.device) -> int:
    """Bytes that one window may take there."""
    return max(LEAST, min(MOST, _free(device) // 4))


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min([psutil.virtual_memory().available, *_limits_of_cgroups()])


def _limits_of_cgroups() -> list[int]:
    """Bytes that containers and batch systems allow this process, where they set a limit."""
    try:
        lines = CGROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return []
    groups = {line.split(":", 2)[-1].strip("/") for line in lines}  # "0::/group", "4:memory:/group"
    files = [CGROUP_ROOT / group / "memory.max" for group in groups]  # version 2
    for group in {"", *groups}:  # version 1; a container's own group may be the root that it sees
        files.append(CGROUP_ROOT / "memory" / group / "memory.limit_in_bytes")
    texts = [file.read_text().strip() for file in files if file.is_file()]
    return [int(text) for text in texts if text.isdecimal()]  # else "max"
