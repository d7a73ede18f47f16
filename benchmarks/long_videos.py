"""A video of 10,000 frames against one of 1,000: peak memory within 5%, no slower a frame.

    python benchmarks/long_videos.py [--store]

`evis predict` as a user runs it, overlay included, on an mp4 of 64 x 96 pixels (a toy video, over
and over), with `tiny_s` of random weights, whose masks are noise: the dearest to keep. Each length
has a process of its own, on one thread of a CPU; memory is its peak resident size, and time the
process time of prediction and overlay, FFmpeg's apart. A short video is one of 100 frames.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from command import finish, parser_of

ROOT = Path(__file__).resolve().parents[1]
SHORT, LONG, LONGEST = 100, 1_000, 10_000
MEMORY, TIME = 1.05, 1.0  # wanted: the longest to the long one's peak, to the short one's frame


def make(folder: Path) -> None:
    import torch

    from evis.data import toy
    from evis.inference.video_writer import write_video
    from evis.models import VideoMask2Former, named, save

    torch.manual_seed(0)
    save(VideoMask2Former(named("tiny_s", 40)), folder / "w.safetensors")
    source = toy.sample("toy-ytvis19", 1)
    (video,) = source.videos
    pictures = [source.frame(video.id, frame) for frame in range(video.length)]
    for length in (SHORT, LONG, LONGEST):
        endless = (picture for _ in range(length) for picture in pictures)
        write_video(folder / f"{length}.mp4", islice(endless, length), 6)


def worker(folder: Path, length: int) -> None:
    from evis.inference import Options, run, weights

    dataset = run.open_source(folder / f"{length}.mp4")
    weights.load(folder / "w.safetensors")
    start = time.process_time()
    run.predict_and_write(
        dataset, folder / "w.safetensors", folder / f"out-{length}", Options(), threshold=0
    )
    seconds = time.process_time() - start
    # Not getrusage: its peak begins with that of the process which started this one.
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"seconds": seconds / length, "MiB": peak}))


def run() -> dict[str, float]:
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        found = {}
        for length in (SHORT, LONG, LONGEST):
            command = [sys.executable, __file__, "--worker", folder, str(length)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=variables)
            found[length] = json.loads(done.stdout)
            print(f"  {length:6} frames: {found[length]['MiB']:.0f} MiB at most, ", end="")
            print(f"{1e3 * found[length]['seconds']:.1f} ms a frame", flush=True)
    memory = found[LONGEST]["MiB"] / found[LONG]["MiB"]
    longer = found[LONGEST]["seconds"] / found[SHORT]["seconds"]
    verdicts = ["holds" if fine else "does not hold" for fine in (memory <= MEMORY, longer <= TIME)]
    print(f"{LONGEST} frames take {memory:.3f} of the memory of {LONG}, {MEMORY} wanted: ", end="")
    print(f"{verdicts[0]} here")
    print(f"a frame takes {longer:.2f} of a short video's time, {TIME} wanted: {verdicts[1]} here")
    return {
        f"peak memory, {LONGEST} to {LONG} frames": memory,
        f"time a frame, {LONGEST} to {SHORT} frames": longer,
        f"MiB at {LONG} frames": found[LONG]["MiB"],
        f"MiB at {LONGEST} frames": found[LONGEST]["MiB"],
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(Path(options.worker[0]), int(options.worker[1]))
        return
    recipe = {"name": "benchmark long videos", "model": "tiny_s", "lengths": [LONG, LONGEST]}
    finish(options, recipe, "toy-ytvis19", run)


if __name__ == "__main__":
    main()
