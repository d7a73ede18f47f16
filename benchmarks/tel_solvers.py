"""Claims about TEL's `secular` solver on a CPU, all as ratios of one run:

- against the released method on the same inputs (4 instances, 3 frames, logits 120 x 216): at least
  500 times as fast for one layer, 1000 times for ten layers in one batch;
- without any resize (n = 25,920 pixels, where a dense matrix would take 5 GB) it runs at all;
- from n = 1e3 to 1e6 pixels its time grows no faster than n log n, and its memory linearly.

    python benchmarks/tel_solvers.py [--store]

Times are process time on one thread, the best of several. Every layer costs the released method
the same, so ten are taken as ten times one. Memory is what torch allocates in the forward pass at
its peak, on top of the input.
"""

import math
import time

import torch
import torch.nn.functional as F
from command import finish, parser_of
from torch.profiler import profile
from tqdm.auto import tqdm

from evis.losses import tel

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


def mask_logits(instances: int, frames: int, height: int, width: int) -> torch.Tensor:
    """Smooth blobs of both signs, as a network's mask logits are: (N, T, h, w)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(instances, frames, 6, 8, generator=generator)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return 8 * smooth + 0.1 * torch.randn(smooth.shape, generator=generator)


def seconds(run, repeats: int) -> float:
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def peak_bytes(run) -> int:
    """The largest sum of live allocations made by `run`."""
    with profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    live = peak = 0
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


def against_released() -> dict[str, float]:
    one = mask_logits(4, 3, 120, 216)
    ten = one.repeat(10, 1, 1, 1) + 0.01 * torch.randn(40, 3, 120, 216)
    tel.eigenvalues(ten)  # warm up
    released = seconds(lambda: tel.eigenvalues(one, solver="released"), 3)
    single = seconds(lambda: tel.eigenvalues(one), 50)
    batched = seconds(lambda: tel.eigenvalues(ten), 20)
    print(f"4 instances, 3 frames, 120 x 216: released {released:.2f} s a layer")
    print(f"  secular, one layer   {1e3 * single:7.2f} ms   {released / single:6.0f} x   (500)")
    ratio = 10 * released / batched
    print(f"  secular, ten layers  {1e3 * batched:7.2f} ms   {ratio:6.0f} x   (1000)")
    return {
        "released, s a layer": released,
        "secular, ms one layer": 1e3 * single,
        "secular, ms ten layers": 1e3 * batched,
        "times as fast, one layer": released / single,
        "times as fast, ten layers": ratio,
    }


def full_resolution() -> dict[str, float]:
    logits = mask_logits(1, 1, 120, 216)
    took = seconds(lambda: tel.eigenvalues(logits, scale=1), 10)
    print(f"no resize, n = {120 * 216}: {1e3 * took:.2f} ms; dense: {8 * 25_920**2 / 1e9:.1f} GB")
    return {"secular, ms at 25920 pixels": 1e3 * took}


def growth() -> list[tuple[int, float, int]]:
    rows = []
    for size in tqdm(SIZES, desc="sizes", leave=False):
        logits = mask_logits(1, 1, 100, size // 100)
        run = lambda logits=logits: tel.eigenvalues(logits, scale=1)  # noqa: E731
        run()
        rows.append((size, seconds(run, 7), peak_bytes(run)))
    print("        n        ms   ms / (n log n), first = 1   MB   bytes a pixel")
    first = rows[0][1] / (rows[0][0] * math.log(rows[0][0]))
    for size, took, memory in rows:
        relative = took / (size * math.log(size)) / first
        megabytes, each = memory / 1e6, memory / size
        print(f"{size:9d} {1e3 * took:9.2f} {relative:14.2f} {megabytes:18.1f} {each:9.0f}")
    return rows


def run() -> dict[str, float]:
    torch.set_num_threads(1)  # so that process time is comparable on a busy machine
    torch.manual_seed(0)
    metrics = against_released() | full_resolution()
    rows = growth()
    for size, took, memory in rows:
        metrics |= {f"ms at {size} pixels": 1e3 * took, f"MB at {size} pixels": memory / 1e6}
    return metrics


def main() -> None:
    options = parser_of(__doc__).parse_args()
    finish(options, {"name": "benchmark tel solvers"}, "smooth blobs", run)


if __name__ == "__main__":
    main()
