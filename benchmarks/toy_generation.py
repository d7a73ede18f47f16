"""How fast toy sets are made, and whether they come to the papers' statistics.

    python benchmarks/toy_generation.py                 # every set at its own size, seed 0
    python benchmarks/toy_generation.py toy-ovis --videos 40 --seeds 0 1 2

Frames a second are by the clock, over everything `toy.build` does from drawing to writing JPEG and
json; the CPU seconds of all processes stand beside it, since a busy machine spoils the clock.
"""

import argparse
import os
import resource
import tempfile
import time

import joblib
import pandas as pd
from command import finish, parser_of

from evis.data import toy
from evis.data.toy.spec import SPECS
from evis.metrics import attributes

PROCESSES = 2


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("names", nargs="*", default=list(SPECS), metavar="NAME")
    parser.add_argument("--videos", type=int, help="default: each set's own number")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    recipe = {
        "name": "benchmark toy generation",
        "sets": options.names,
        "videos": options.videos,
        "seeds": options.seeds,
    }
    finish(options, recipe, "toy sets", lambda: run(options))


def run(options: argparse.Namespace) -> dict[str, float]:
    # Workers start, and import evis, before the clock does.
    joblib.Parallel(PROCESSES)(joblib.delayed(len)(SPECS) for _ in range(2 * PROCESSES))
    rows = [
        _measure(name, options.videos, seed) for name in options.names for seed in options.seeds
    ]
    print(f"load average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))
    return {
        f"{row['set']}, seed {row['seed']}, {name}": row[name]
        for row in rows
        for name in ("frames_a_second", "cpu_ms_a_frame", "instances", "mbor")
    }


def _measure(name: str, videos: int | None, seed: int) -> dict:
    with tempfile.TemporaryDirectory() as root:
        clock, cpu = time.perf_counter(), _cpu_seconds()
        dataset = toy.build(name, root, videos=videos, seed=seed, processes=PROCESSES)
        clock, cpu = time.perf_counter() - clock, _cpu_seconds() - cpu
        frames = sum(video.length for video in dataset.videos)
    spec = SPECS[name]
    return {
        "set": name,
        "seed": seed,
        "videos": len(dataset.videos),
        "frames": frames,
        "frames_a_second": frames / clock,
        "cpu_ms_a_frame": 1000 * cpu / frames,
        "instances": attributes.instance_count(dataset).mean(),
        "wanted": spec.instances,
        "mbor": attributes.dataset_mbor(dataset),
        "wanted_mbor": spec.mbor,
    }


def _cpu_seconds() -> float:
    """Of this process and of the workers, which live on between two builds."""
    seconds = joblib.Parallel(PROCESSES, batch_size=1)(
        joblib.delayed(_own_cpu_seconds)() for _ in range(4 * PROCESSES)
    )
    return sum(dict(seconds).values()) + _own_cpu_seconds()[1]


def _own_cpu_seconds() -> tuple[int, float]:
    time.sleep(0.05)  # so that every worker gets one of these calls
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return os.getpid(), usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
