"""What makes a run the same run again: seeds, kernels that add in a fixed order, whole steps."""

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed(run: int, number: int) -> torch.Generator:
    """Seed all global generators by the run's seed and a number; -> the loss's own, on the CPU."""
    words = np.random.SeedSequence([run, number]).generate_state(2, np.uint64)
    random.seed(int(words[0]))
    np.random.seed(int(words[0] % 2**32))
    torch.manual_seed(int(words[0] >> 1))
    return torch.Generator().manual_seed(int(words[1] >> 1))


@contextmanager
def in_fixed_order(threads: int | None, on_cpu: bool) -> Iterator[None]:
    """So many threads, and on a CPU kernels that add in a fixed order; GPUs don't have them all."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.set_num_threads(threads or before[0])
    torch.use_deterministic_algorithms(on_cpu or before[1])
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, and is never read
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled


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
