"""Named labels from nothing for 1,000 toy frames, as a user makes them: at most 60 s are wanted.

    python benchmarks/label_speed.py [--frames 1000] [--store]

`evis label none` with names by toy_clip, on pictures of `toy-ytvis19`'s training videos, in a
process of its own that begins with its imports: with `--jobs 2`, then with one. A core has one
thread. Seconds of wall time, and of all processes' CPU time.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from command import finish, parser_of

ROOT = Path(__file__).resolve().parents[1]
DATASET, VIDEOS, FRAMES = "toy-ytvis19", 100, 1_000
NAMES = "disc,triangle,square,star,cross,heart"
WANTED = 60  # seconds, on two cores


def lay_out(folder: Path, frames: int) -> None:
    """So many of the set's frames, in a folder a video."""
    from evis.data import toy

    source = toy.sample(DATASET, VIDEOS)
    names = [name for video in source.videos for name in video.frames]
    if len(names) < frames:
        raise SystemExit(f"{VIDEOS} videos have {len(names)} frames alone")
    for name in names[:frames]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.read_frame.root / name, folder / name)


def timed(videos: Path, out: Path, jobs: int) -> tuple[float, float]:
    """Seconds of wall time and of CPU time."""
    command = [sys.executable, "-m", "evis", "label", "none", str(videos), "--names", NAMES]
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    made = ("--out", str(out / "labels.json"), "--jobs", str(jobs))
    subprocess.run([*command, *made], check=True, env=variables, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(frames: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder) / "videos", frames)
        found = {}
        for jobs in (2, 1):
            wall, cpu = timed(Path(folder) / "videos", Path(folder) / str(jobs), jobs)
            found |= {f"seconds, jobs {jobs}": wall, f"CPU seconds, jobs {jobs}": cpu}
            print(f"  jobs {jobs}: {wall:.1f} s, {frames / wall:.1f} frames/s, {cpu:.1f} CPU s")
        same = {(Path(folder) / jobs / "labels.json").read_bytes() for jobs in "12"}
    seconds = found["seconds, jobs 2"]
    found["times as fast with two jobs"] = found["seconds, jobs 1"] / seconds
    print(f"the same labels: {'yes' if len(same) == 1 else 'NO'}")
    if frames == FRAMES:
        holds = "holds" if seconds <= WANTED else "does not hold"
        print(f"{FRAMES} frames take {seconds:.1f} s, {WANTED} wanted: {holds} here")
    return found


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    options = parser.parse_args()
    if options.store and options.frames != FRAMES:
        parser.error(f"only numbers of {FRAMES} frames are stored")
    recipe = {"name": "benchmark label speed", "frames": FRAMES, "named by": "toy_clip"}
    finish(options, recipe, DATASET, lambda: run(options.frames))


if __name__ == "__main__":
    main()
