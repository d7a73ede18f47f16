"""What evis does when it is killed, when the disk is full, when two run at once, and with files
that are damaged: the same bits in the end, or one clear error. Not one exception is wanted.

    make torture                # 20 kills of each work and 10,000 files: an hour on two cores
    python benchmarks/torture.py [--kills 20] [--files 10000] [--jobs 2] [--store]
    python benchmarks/torture.py --again film 17      # one damaged file again, with its traceback

Works are a training, labels from boxes, a measured row (trained, then tested) and a prediction with
its overlays. Each is killed (-9) at random moments until it has been so often, and goes on; is run
on a disk that is full after a random number of bytes; and is run by two processes in one folder.
In the end its files are held against those of a run that was left alone, and at no moment may a
file be half written under its own name.

Damaged files are json, png, mp4 and weights with bytes, blocks, numbers or json values changed.
They go to the readers behind the command line in processes that die after 10 s of computing or a
minute of waiting, and a sample of them through the command line itself.
"""

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from multiprocessing.pool import ThreadPool
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from PIL import Image
from safetensors import safe_open
from tqdm.auto import tqdm

from evis import cli
from evis.companion import held_out, measured, store
from evis.data import DataError, davis, toy, ytvis
from evis.data.supervision import weaken
from evis.inference import Options, run
from evis.inference import weights as weight_files
from evis.labels import from_boxes
from evis.models import VideoMask2Former, checkpoints, named, read_about
from evis.papers.eigencluster import method, recipes
from evis.training import checkpoint, engine

sys.path.append(str(Path(__file__).parent))
from damaged import damaged

COMPUTING, WAITING, CHUNK = 10, 60, 50  # seconds a file; files a process
SMALL = replace(
    recipes.toy(recipes.named("eigencluster.stage2")),
    **{"init": None, "model": "tiny_s", "frames": 2, "shorter_sides": (32,), "steps": 8},
    **{"batch": 2, "micro_batch": 1, "warm_up_steps": 2},
)
FEW = replace(held_out.TEST, name="torture", videos=2)


def videos():
    return toy.sample("toy-ytvis19", 4)


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


def predict(folder: Path) -> None:
    torch.manual_seed(0)
    dataset = videos().bare()
    names = [category.name for category in dataset.categories]
    model, path = VideoMask2Former(named("tiny_s", len(names))), folder.with_suffix(".weights")
    weights = checkpoints.save(model, path, categories=names)
    run.predict_and_write(dataset, weights, folder / "out", Options(shorter_side=32))


WORKS = {"training": train, "labelling": label, "measuring": measure, "predicting": predict}


def alone(work: Callable, limit: int | None, *arguments) -> None:
    """In a process of its own: exit status 0, 2 for the one clear error, 1 for anything else."""
    os.setsid()
    sys.stderr = open(os.devnull, "w")
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
            value = told["metrics"] if "metrics" in told else told
        elif path.suffix == ".safetensors":
            with safe_open(path, "pt"):
                value = hashlib.sha256(path.read_bytes()).hexdigest()
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
        for number in (bar := tqdm(range(kills), f"{name}, kills", leave=False)):
            folder = place / f"killed{self.counts['runs to an end']}"
            process = start(work, folder)
            process.join(self.moment.uniform(0, 1.1 * seconds))
            if process.is_alive() or number == kills - 1:
                os.killpg(process.pid, signal.SIGKILL) if process.is_alive() else None
                process.join()
                self.counts["kills"] += 1
                self.holds(f"{name}, killed", folder)
            if process.exitcode == 0 or number == kills - 1:
                self.ends(name, start(work, folder))
                self.holds(f"{name} after kills", folder, wanted)
                self.counts["runs to an end"] += 1
            bar.set_postfix(self.counts, refresh=False)

    def files(self, count: int) -> None:
        """`count` damaged files, as many of each kind."""
        originals = made(self.folder / "files")
        with open(self.folder / "files.pickle", "wb") as stream:
            pickle.dump(originals, stream)
        numbers = [(kind, n) for n in range(-(-count // len(originals))) for kind in originals]
        numbers = numbers[:count]
        chunks = [numbers[at : at + CHUNK] for at in range(0, count, CHUNK)]
        with ThreadPool(self.jobs) as pool, tqdm(total=count, unit="file") as bar:
            for told in pool.imap_unordered(self.chunk, chunks):
                for kind, number, outcome, seconds, what in told:
                    self.counts[outcome] += outcome in ("read", "refused")
                    self.slowest = max(self.slowest, seconds)
                    if outcome not in ("read", "refused"):
                        self.fault(outcome, f"{kind} {number} {what}")
                bar.update(len(told))

    def chunk(self, numbers: list[tuple[str, int]]) -> list[tuple]:
        """What comes of each file, in a process that dies of those it can't bear."""
        told = []
        while numbers:
            log = Path(tempfile.mkstemp(dir=self.folder)[1])
            process = start(try_files, self.folder, numbers, log)
            process.join()
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            told += lines
            numbers = numbers[len(lines) :]
            if process.exitcode and numbers:
                died = -process.exitcode in (signal.SIGPROF, signal.SIGALRM)
                outcome = "hangs" if died else "crashes"
                told.append((*numbers[0], outcome, 0.0, f"status {process.exitcode}"))
                numbers = numbers[1:]
        return told

    def command_line(self, count: int) -> None:
        originals = pickle.loads((self.folder / "files.pickle").read_bytes())
        kinds = [kind for kind in originals if commands(kind, Path(), originals)]
        for number in tqdm(range(count), "command line", leave=False):
            kind, place = kinds[number % len(kinds)], self.folder / "line" / str(number)
            path = written(kind, 10**6 + number, originals, place)
            for command in commands(kind, path, originals):
                shell = [sys.executable, "-m", "evis", *map(str, command)]
                done = subprocess.run(shell, capture_output=True, text=True, errors="replace")
                wrong = len([line for line in done.stderr.splitlines() if "evis: " in line])
                if done.returncode not in (0, 1, 2) or wrong != (done.returncode == 2):
                    self.fault("tracebacks", f"{' '.join(shell)}: {done.stderr[-200:]}")
                self.counts["through the command line"] += 1


def made(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The originals of each kind, the first of which are damaged; the others go with it."""
    dataset, frames = videos(), Path(videos().read_frame.root)
    truth = ytvis.write(dataset, folder / "truth.json")
    predict(folder / "predicted")
    results = folder / "predicted" / "out" / "results.json"
    toy.build("toy-davis", folder / "davis", videos=1, progress=False)
    labels = next((folder / "davis").rglob("*.png"))
    picture, film = folder / "picture.png", next((folder / "predicted").rglob("*.mp4"))
    Image.fromarray(dataset.frame(dataset.videos[0].id, 0)).save(picture)
    safe = folder / "predicted.weights"
    tensors = {"model": checkpoints.load(safe).state_dict()}
    torch.save(tensors, folder / "a.pth")
    torch.save(tensors, folder / "old.pth", _use_new_zipfile_serialization=False)
    arrays = {name: tensor.numpy() for name, tensor in tensors["model"].items()}
    (folder / "a.pkl").write_bytes(pickle.dumps({"model": arrays}))
    checkpoint.save(folder / "steps", 1, tensors | {"loss": {}, "optimiser": {"state": {}}})
    (step,) = (folder / "steps").iterdir()
    weights = {f"weights {path.suffix} {path.stem}": (path, frames) for path in folder.glob("*.p*")}
    del weights["weights .png picture"]
    return weights | {
        "annotations": (truth, results, frames),
        "results": (results, truth),
        "labels": (labels, folder / "davis"),
        "picture": (picture, safe),
        "film": (film, safe),
        "weights": (safe, frames),
        "step": (step,),
    }


def written(kind: str, number: int, originals: dict, folder: Path) -> Path:
    """The damaged file of this kind and number, where its reader looks for it."""
    original, *others = originals[kind]
    shutil.rmtree(folder, ignore_errors=True)
    path = folder / original.name
    if kind == "labels":
        shutil.copytree(others[0], folder)
        path = folder / original.relative_to(others[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(damaged(original.read_bytes(), random.Random(f"{kind} {number}")))
    return folder if kind in ("labels", "picture", "step") else path


def commands(kind: str, path: Path, originals: dict) -> list[tuple]:
    """What a user would give it to; none for what the command line reads as part of a run."""
    others, out = originals[kind][1:], path.parent / "out"
    if kind == "annotations":
        check = ("data", "check", path, "--frames", others[1])
        return [("evaluate", others[0], "--annotations", path), check]
    if kind == "results":
        return [("evaluate", path, "--annotations", others[0])]
    if kind in ("picture", "film"):
        return [("predict", path, "--weights", others[0], "--out", out, "--overlay", "none")]
    if kind.startswith("weights"):
        (video, *_) = sorted(others[0].iterdir())
        return [("predict", video, "--weights", path, "--out", out, "--overlay", "none")]
    return []


def readers(kind: str, path: Path, originals: dict) -> Iterator[Callable]:
    """As the command line calls them; with json, which is quick, that itself."""
    if kind in ("annotations", "results"):
        yield from (lambda c=c: cli.main([*map(str, c)]) for c in commands(kind, path, originals))
    elif kind == "labels":
        yield lambda: davis.read(path, "train")
    elif kind == "step":
        yield lambda: checkpoint.latest(path)
    elif kind in ("picture", "film"):
        dataset = run.open_source(path)
        video = dataset.videos[0]
        yield from (lambda f=f: dataset.frame(video.id, f) for f in range(video.length))
    else:
        yield from (lambda: weight_files.load(path), lambda: read_about(path))


def try_file(kind: str, number: int, originals: dict, folder: Path) -> str:
    """ "read" or "refused"; any other error is let through."""
    path = written(kind, number, originals, folder)
    try:
        statuses = [read() for read in readers(kind, path, originals)]
    except (DataError, OSError) as error:
        assert str(error), "an error that says nothing"
        return "refused"
    return "refused" if 2 in [status for status in statuses if type(status) is int] else "read"


def try_files(folder: Path, numbers: list[tuple[str, int]], log: Path) -> None:
    originals = pickle.loads((folder / "files.pickle").read_bytes())
    scratch = Path(tempfile.mkdtemp(dir=folder))
    for kind, number in numbers:
        signal.setitimer(signal.ITIMER_PROF, COMPUTING)
        signal.setitimer(signal.ITIMER_REAL, WAITING)
        begin, said, what = time.process_time(), io.StringIO(), ""
        try:
            with redirect_stdout(said), redirect_stderr(said):
                outcome = try_file(kind, number, originals, scratch / "file")
        except BaseException as error:
            outcome, what = "tracebacks", repr(error)[:200]
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        told = kind, number, outcome, round(time.process_time() - begin, 3), what
        with log.open("a") as stream:
            stream.write(json.dumps(told) + "\n")
    shutil.rmtree(scratch)


def torture(kills: int, files: int, jobs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        tortured = Torture(Path(folder), jobs)
        tortured.works(kills)
        tortured.files(files)
        tortured.command_line(files // 250)
    wrong = "tracebacks", "hangs", "crashes", "half-written files", "other bits"
    metrics = {name: tortured.counts[name] for name in (*tortured.counts, *wrong)}
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
            try:
                print(try_file(kind, int(number), made(Path(folder)), Path(folder) / "file"))
            except Exception:
                traceback.print_exc()
        return
    done: dict[str, float] = {}

    def measured_once() -> dict[str, float]:
        done.update(torture(options.kills, options.files, options.jobs))
        return done

    if options.store:
        recipe = {"name": "benchmark torture", "kills": options.kills, "files": options.files}
        store.measure(recipe, "toy sets", 0, measured_once, recompute=True)
    else:
        measured_once()
    wrong = "tracebacks", "hangs", "crashes", "half-written files", "other bits"
    sys.exit(any(done[name] for name in wrong))


CONTEXT = multiprocessing.get_context("forkserver")

if __name__ == "__main__":
    CONTEXT.set_forkserver_preload([name for name in sys.modules if name.startswith("evis.")])
    main()
