"""What makes a run the same run again: seeds, kernels that add in a fixed order, whole steps."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._decomp import get_decompositions

from evis.data.errors import DataError

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_MODES = ("bilinear", "nearest", "bicubic")  # as torch numbers them
_PADDINGS = ("zeros", "border", "reflection")
_sample = get_decompositions([torch.ops.aten.grid_sampler_2d])[
    torch.ops.aten.grid_sampler_2d.default
]


def seed(run: int, number: int) -> torch.Generator:
    """Seed all global generators by the run's seed and a number; -> the loss's own, on the CPU."""
    words = np.random.SeedSequence([run, number]).generate_state(2, np.uint64)
    random.seed(int(words[0]))
    np.random.seed(int(words[0] % 2**32))
    torch.manual_seed(int(words[0] >> 1))
    return torch.Generator().manual_seed(int(words[1] >> 1))


@contextmanager
def in_fixed_order(
    threads: int | None, on_cpu: bool, deterministic: bool = False
) -> Iterator[None]:
    """So many threads, and kernels that add in a fixed order: on a CPU, and on a GPU if asked for.

    On a GPU the precision of products is set, not left to what ran before: full float32 in matrix
    products, TF32 in convolutions unless `deterministic`, which needs `fix_cublas` first.
    """
    fixed, on_gpu = on_cpu or deterministic, not on_cpu
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled, sample = torch.utils.deterministic.fill_uninitialized_memory, F.grid_sample
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    tf32 = cudnn.allow_tf32, products.allow_tf32
    torch.set_num_threads(threads or before[0])
    torch.use_deterministic_algorithms(fixed or before[1])
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, and is never read
    if on_gpu:
        cudnn.allow_tf32, products.allow_tf32 = not deterministic, False
        F.grid_sample = grid_sample if deterministic else sample
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled
        cudnn.allow_tf32, products.allow_tf32 = tf32
        F.grid_sample = sample


def grid_sample(
    inputs: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Tensor:
    """torch's, made of operations whose gradients a GPU can add in a fixed order."""
    modes = _MODES.index(mode), _PADDINGS.index(padding_mode)
    return _sample(inputs, grid, *modes, align_corners)


def fix_cublas() -> None:
    """Before a GPU is first used in a process: cuBLAS reads how it may work just once."""
    if torch.cuda.is_initialized() and _CUBLAS not in os.environ:
        raise DataError(
            "the GPU has been used in this process, so that its products can't be told any more to "
            "add in a fixed order",
            remedy=f"Set {_CUBLAS}=:4096:8 before Python starts",
        )
    os.environ.setdefault(_CUBLAS, ":4096:8")


@contextmanager
def interrupt_between_steps() -> Iterator[threading.Event]:
    """Ctrl-C sets an event, so that no step is left half done; a second one interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
