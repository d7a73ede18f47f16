"""What "auto" stands for in `Options`: the size and the window that suit a model and a machine.

A video that needs less than 1 GiB at once is seen whole on any machine. Others get at most a
quarter of the memory that is free, and at most 4 GiB, so that machines with 16 GiB or more choose
alike. Windows are 1, 2, 4, 8, ... frames long, for the same reason. No benchmark's video is longer
than `LONGEST_WHOLE` frames; those that are take windows of at most `LONGEST_WINDOW`, and so the
same memory however long they are.
"""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import psutil
import torch
from torch import nn

from evis.data.errors import DataError
from evis.data.types import Video
from evis.inference.options import OF_DETECTIONS, OF_IDOL, OF_QUERIES, Options
from evis.models import IDOL, ModelConfig, VideoMask2Former
from evis.models.pixel_decoder import LEVELS
from evis.models.video_mask2former import SEEN_AT_ONCE

LEAST, MOST = 2**30, 2**32  # bytes for one window
LONGEST_WHOLE, LONGEST_WINDOW = 512, 32
ON_DISK = 2**31  # bytes
AT_ONCE = 2**17, 2**22  # pixels of small windows in a batch: on a CPU, on CUDA
CGROUPS, CGROUP_ROOT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_FLOAT = 4  # bytes
_SEEING = 100  # floats a pixel that backbone and pixel decoder hold at their worst, about


def fitted(options: Options, model: nn.Module, video: Video) -> Options:
    """The options without "auto", for this video.

    A model that is not evis's own sees videos whole and at their own size, as nothing is known of
    it.
    """
    if options.shorter_side == "auto":
        trained_at = getattr(model, "shorter_side", None)
        side = None if trained_at is None else min(trained_at, video.height, video.width)
        options = replace(options, shorter_side=side)
    options = _with_tracker(options, model)
    if options.window == "auto":
        window = None
        if options.tracker in OF_DETECTIONS or getattr(model, "clip_length", None) == 1:
            window = 1
        elif isinstance(model, VideoMask2Former):
            seen = options.seen_size(video.height, video.width)
            left = memory_budget(device_of(model)) - bytes_of_seeing(*seen)
            fits = left // bytes_of_frame(model.config, *seen)
            if video.length > min(fits, LONGEST_WHOLE):
                window = 2 ** (max(1, min(fits, LONGEST_WINDOW)).bit_length() - 1)
        options = replace(options, window=window)
    if options.precision == "auto":
        is_halved = device_of(model).type == "cuda" and isinstance(model, VideoMask2Former)
        # torch emulates it on GPUs that have none, which is slower than float32.
        is_halved = is_halved and torch.cuda.is_bf16_supported(including_emulation=False)
        options = replace(options, precision="bfloat16" if is_halved else "float32")
    return options


def _with_tracker(options: Options, model: nn.Module) -> Options:
    """The options with the tracker that suits the model, where none is asked for."""
    known = OF_IDOL if isinstance(model, IDOL) else OF_QUERIES
    if options.tracker not in ("auto", *known):
        problem = f"the tracker {options.tracker!r} can't follow what a {type(model).__name__} says"
        raise DataError(problem, remedy=f"Choose {' or '.join(known)}, or auto")
    if options.tracker != "auto":
        return options
    try:
        return replace(options, tracker=known[0])
    except ValueError as error:  # what windows are asked for
        raise DataError(str(error), field=f"options for a {type(model).__name__}") from None


def windows_at_once(options: Options, model: nn.Module, video: Video) -> int:
    """How many windows a batch holds: small ones alone would keep a machine waiting."""
    if not isinstance(model, VideoMask2Former | IDOL):
        return 1
    height, width = options.seen_size(video.height, video.width)
    pixels = (options.window or video.length) * height * width
    return max(1, AT_ONCE[device_of(model).type == "cuda"] // pixels)


def bytes_of_frame(config: ModelConfig, height: int, width: int) -> int:
    """What each frame of a clip adds, the last layer's prediction included.

    An estimate from above: the largest tensors of the video decoder that live at the same time.
    """
    strides = config.backbone.strides
    height, width = (side + -side % strides[-1] for side in (height, width))
    embedded = height * width // strides[0] ** 2
    tokens = [height * width // stride**2 for stride in strides[-LEVELS:]]
    features = 2 * config.hidden * sum(tokens) + 2 * config.mask_channels * embedded
    # Keys and values of the finest level, and what each head of each query may not read there.
    attention = 4 * config.hidden * tokens[0] + 1.25 * config.heads * config.queries * tokens[0]
    masks = 3 * config.queries * embedded
    return int(_FLOAT * (features + attention + masks))


def bytes_of_seeing(height: int, width: int) -> int:
    """What the features of one frame, or of a few small ones, take while they are made."""
    return _FLOAT * _SEEING * max(height * width, SEEN_AT_ONCE)


def device_of(model: nn.Module) -> torch.device:
    """Where its weights are; a model without any computes on the CPU."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device


def memory_budget(device: torch.device) -> int:
    """Bytes that one window may take there."""
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        free = min([psutil.virtual_memory().available, *_limits_of_cgroups()])
    return max(LEAST, min(MOST, free // 4))


def room(device: torch.device) -> int:
    """Bytes of mask logits to put aside, till it is known whose are wanted: else on the disk."""
    return memory_budget(device) if device.type == "cuda" else ON_DISK


def _limits_of_cgroups() -> list[int]:
    """Bytes that containers and batch systems allow this process, where they set a limit."""
    lines = CGROUPS.read_text().splitlines() if CGROUPS.is_file() else []  # on Linux alone
    groups = {line.split(":", 2)[-1].strip("/") for line in lines}  # "0::/group", "4:memory:/group"
    files = [CGROUP_ROOT / group / "memory.max" for group in groups]  # version 2
    for group in {"", *groups}:  # version 1; a container's own group may be the root that it sees
        files.append(CGROUP_ROOT / "memory" / group / "memory.limit_in_bytes")
    texts = [file.read_text().strip() for file in files if file.is_file()]
    return [int(text) for text in texts if text.isdecimal()]  # else "max"
