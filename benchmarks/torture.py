"""What evis does when it is killed, when the disk is full, when two run at once, and with files
that are damaged: the same bits in the end, or one clear error. Not one exception is wanted.

    make torture     # 20 kills of each work and 10,000 files: ten minutes on two cores
    python benchmarks/torture.py [--kills 20] [--files 10000] [--jobs 2] [--store]
    python benchmarks/torture.py --again film 17     # a damaged file alone, with its traceback

Works are a training, labels from boxes, a measured row (trained, then tested) and a prediction with
its overlays. Each is killed (-9) at random moments until it has been so often, and goes on; is run
on a disk that is full after a random number of bytes; and is run by two processes in one folder.
In the end its files are held against those of a run that was left alone, and at no moment may a
file be half written under its own name.

Damaged files are json, zips, pictures, mp4 and weights with bytes, blocks, numbers or json values
changed, or pipes in their place. They go to the readers behind the command line in processes that
die after 10 s of computing or five minutes of waiting, and may not take a gigabyte; a sample of
them goes through the command line itself.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.pool import ThreadPool
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")  # what is killed leaves locks

import damaged
import torch
from damaged import predict, videos
from PIL import Image
from safetensors.torch import load_file
from tqdm.auto import tqdm

from evis.companion import held_out, measured, store
from evis.data import DataError, toy, ytvis
from evis.data.supervision import weaken
from evis.labels import from_boxes
from evis.papers.eigencluster import method, recipes
from evis.training import engine

CHUNK = 50  # files a process
SMALL = replace(
    recipes.toy(recipes.named("eigencluster.stage2")),
    **{"init": None, "model": "tiny_s", "frames": 2, "shorter_sides": (32,), "steps": 8},
    **{"batch": 2, "micro_batch": 1, "warm_up_steps": 2},
)
FEW = replace(held_out.TEST, name="torture", videos=2)


def train(folder: Path) -> None:
    how = {"device": "cpu", "threads": 1, "save_every": 1, "progress": False}
    engine.train(SMALL, {"videos": videos()}, folder, method, **how)


def label(folder: Path) -> None:
    toy.build("toy-davis", folder / "davis", videos=2, progress=False, processes=1)
    made = from_boxes.label(weaken(videos(), "box"), from_boxes.grabcut, progress=False)
    ytvis.write(made, folder / "labels.json")


def measure(folder: Path) -> None:
    experiment = measured.Experiment("torture", (SMALL,), method, videos=4)
    measured.row(experiment.seeded(0), FEW, folder, progress=False)


WORKS = {"training": train, "labelling": label, "measuring": measure, "predicting": predict}


def alone(work: Callable, limit: int | None, *arguments) -> None:
    """In a process of its own: exit status 0, 2 for the one clear error, 1 for anything else."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # as on a full disk
    try:
        work(*arguments)
    except (DataError, OSError):
        os._exit(2)


def start(work: Callable, *arguments, limit: int | None = None) -> multiprocessing.Process:
    process = CONTEXT.Process(target=alone, args=(work, limit, *arguments))
    process.start()
    return process


def content(folder: Path) -> dict[str, object]:
    """What the files say, but for times and places; an error where one is half written."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name.startswith(".") or path.name == "log.jsonl":
            continue
        if path.suffix == ".json":
            told = json.loads(path.read_text())
            value = told.get("metrics", told) if isinstance(told, dict) else told
        elif path.suffix == ".safetensors":
            tensors = load_file(path)  # the commit, which stands beside them, may change meanwhile
            raw = b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))
            value = hashlib.sha256(raw).hexdigest()
        elif path.suffix == ".pt":
            value = len(torch.load(path, weights_only=True))
        elif path.suffix in (".png", ".jpg"):
            with Image.open(path) as picture:
                value = hashlib.sha256(picture.tobytes()).hexdigest()
        else:
            value = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = json.dumps(value).replace(str(folder), "")
    return found


class Torture:
    """Counts what was done and keeps what went wrong."""

    def __init__(self, folder: Path, jobs: int):
        self.folder, self.jobs = folder, jobs
        self.moment = random.Random(0)
        self.counts, self.faults = Counter(), []
        self.slowest = 0.0

    def fault(self, kind: str, told: str) -> None:
        self.faults.append(f"{kind}: {told}")
        self.counts[kind] += 1
        tqdm.write(f"  {kind}: {told}")

    def holds(self, what: str, folder: Path, wanted: dict[str, object] | None = None) -> None:
        """No file is half written; all are as wanted."""
        try:
            found = content(folder)
        except Exception as error:
            return self.fault("half-written files", f"{what}: {error!r}")
        if wanted is not None and found != wanted:
            differing = [n for n in found.keys() | wanted if found.get(n) != wanted.get(n)]
            self.fault("other bits", f"{what}: {sorted(differing)[:3]}")

    def ends(self, what: str, process, statuses: tuple[int, ...] = (0,)) -> int:
        process.join()
        if process.exitcode not in statuses:
            self.fault("tracebacks", f"{what} ends with status {process.exitcode}")
        return process.exitcode

    def works(self, kills: int) -> None:
        for name, work in WORKS.items():
            place = self.folder / name
            self.ends(name, start(work, place / "once"))  # the toy sets are there from here on
            begin = time.perf_counter()
            self.ends(name, start(work, place / "whole"))
            seconds, wanted = time.perf_counter() - begin, content(place / "whole")
            self.kill(name, work, place, kills, seconds, wanted)
            largest = max(path.stat().st_size for path in (place / "whole").rglob("*.*"))
            for number in tqdm(range(kills), f"{name}, full disks", leave=False):
                folder = place / f"full{number}"
                limit = int(largest ** self.moment.uniform(0.3, 1))
                self.ends(f"{name}, {limit} bytes", start(work, folder, limit=limit), (0, 2))
                self.holds(f"{name}, {limit} bytes", folder)
                self.ends(name, start(work, folder))
                self.holds(f"{name} after {limit} bytes", folder, wanted)
                self.counts["full disks"] += 1
                shutil.rmtree(folder)
            for number in tqdm(range(max(kills // 4, 1)), f"{name}, two at once", leave=False):
                folder = place / f"two{number}"
                both = [start(work, folder), start(work, folder)]
                if 0 not in [self.ends(f"{name}, two at once", one, (0, 2)) for one in both]:
                    self.fault("tracebacks", f"{name}: neither of two processes ends well")
                self.holds(f"{name}, two at once", folder, wanted)
                self.counts["two at once"] += 1

    def kill(self, name, work, place: Path, kills: int, seconds: float, wanted: dict) -> None:
        """So often; a run that comes to its end in between is looked at, and another begins."""
        bar, runs = tqdm(total=kills, desc=f"{name}, kills", leave=False), 0
        while bar.n < kills:
            folder = place / f"killed{runs}"
            process, begin = start(work, folder), time.perf_counter()
            process.join(self.moment.uniform(0, 1.1 * seconds))
            if process.is_alive():
                with suppress(ProcessLookupError):  # it has no group yet
                    os.killpg(process.pid, signal.SIGKILL)
                process.kill()
                process.join()
            else:  # the machine is less busy than it was
                seconds = min(seconds, time.perf_counter() - begin)
            if process.exitcode == -signal.SIGKILL:
                self.holds(f"{name}, killed", folder)
                self.counts["kills"] += 1
                bar.update()
            if process.exitcode != -signal.SIGKILL or bar.n == kills:
                self.ends(name, start(work, folder) if bar.n == kills else process)
                self.holds(f"{name} after kills", folder, wanted)
                runs += 1
        bar.close()

    def files(self, count: int) -> None:
        """`count` damaged files, as many of each kind."""
        self.known = damaged.originals(self.folder / "files")
        numbers = [(kind, n) for n in range(-(-count // len(self.known))) for kind in self.known]
        chunks = [numbers[:count][at : at + CHUNK] for at in range(0, count, CHUNK)]
        with ThreadPool(self.jobs) as pool, tqdm(total=count, unit="file") as bar:
            for told in pool.imap_unordered(self.chunk, chunks):
                for kind, number, outcome, seconds, what in told:
                    self.slowest = max(self.slowest, seconds)
                    if outcome in ("read", "refused"):
                        self.counts[f"files {outcome}"] += 1
                    else:
                        self.fault(outcome, f"{kind} {number} {what}")
                bar.update(len(told))

    def chunk(self, numbers: list[tuple[str, int]]) -> list[tuple]:
        """What comes of each file, in a process that dies of those it can't bear."""
        told = []
        while numbers:
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as made:
                lines = Path(made.name)
            process = start(damaged.try_all, numbers, self.known, self.folder, lines)
            process.join()
            done = [json.loads(line) for line in lines.read_text().splitlines()]
            told, numbers = told + done, numbers[len(done) :]
            if numbers:
                late = -process.exitcode in (signal.SIGPROF, signal.SIGALRM)
                outcome = "hangs" if late else "crashes"
                told.append((*numbers.pop(0), outcome, 0.0, f"status {process.exitcode}"))
        return told

    def command_line(self, count: int) -> None:
        kinds = [kind for kind in self.known if damaged.commands(kind, Path(), self.known)]
        for number in tqdm(range(count), "command line", leave=False):
            kind, place = kinds[number % len(kinds)], self.folder / "line" / str(number)
            path = damaged.written(kind, 10**6 + number, self.known, place)
            for command in damaged.commands(kind, path, self.known):
                shell = [sys.executable, "-m", "evis", *map(str, command)]
                done = subprocess.run(shell, capture_output=True, text=True, errors="replace")
                errors = [line for line in done.stderr.splitlines() if "evis: " in line]
                if done.returncode not in (0, 1, 2) or len(errors) != (done.returncode == 2):
                    self.fault("tracebacks", f"{kind} {10**6 + number}: {done.stderr[-200:]}")
                self.counts["through the command line"] += 1


WRONG = "tracebacks", "hangs", "crashes", "gigabytes", "half-written files", "other bits"


def torture(kills: int, files: int, jobs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        tortured = Torture(Path(folder), jobs)
        tortured.works(kills)
        tortured.files(files)
        tortured.command_line(files // 250)
    metrics = {name: tortured.counts[name] for name in (*tortured.counts, *WRONG)}
    metrics["slowest file, s of computing"] = tortured.slowest
    for name, value in metrics.items():
        print(f"  {name:30} {value:g}")
    print("\n".join(tortured.faults) or "Nothing broke.")
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--store", action="store_true", help="keep the numbers in data/results")
    parser.add_argument("--again", nargs=2, metavar=("KIND", "NUMBER"), help="one damaged file")
    options = parser.parse_args()
    if options.again:
        kind, number = options.again
        with tempfile.TemporaryDirectory() as folder:
            known = damaged.originals(Path(folder))
            print(damaged.tried(kind, int(number), known, Path(folder) / "file"))
        return
    recipe = {"name": "benchmark torture", "kills": options.kills, "files": options.files}
    with tempfile.TemporaryDirectory() as apart:
        shelf = None if options.store else Path(apart)
        measure = lambda: torture(options.kills, options.files, options.jobs)  # noqa: E731
        row = store.measure(recipe, "toy sets", 0, measure, recompute=True, folder=shelf)
    sys.exit(any(row.metrics[name] for name in WRONG))


CONTEXT = multiprocessing.get_context("forkserver")

if __name__ == "__main__":
    resnet = "transformers.models.resnet.modeling_resnet"  # imported when one is made
    ready = [name for name in sys.modules if name.startswith("evis.")]
    CONTEXT.set_forkserver_preload([*ready, resnet])
    main()
