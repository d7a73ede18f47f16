"""Damaged files of every kind that evis reads, and what it makes of them: see torture.py.

A file is damaged so that its reader gets as far as possible into it: mostly near its head, with
numbers that stand for sizes, with other json values, with checksums that are right again. Now and
then a pipe that nobody writes to is in its place. A kind and a number give the same file wherever
they are asked for.
"""

import io
import json
import os
import pickle
import re
import resource
import shutil
import signal
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
import torch
from PIL import Image

from evis import cli
from evis.companion import store
from evis.data import DataError, clicks, davis, paths, predictions, toy, ytvis
from evis.data.supervision import weaken
from evis.foundation import stand_in
from evis.foundation.toy_sam import ToySam
from evis.inference import Options, run
from evis.inference import weights as weight_files
from evis.models import VideoMask2Former, checkpoints, named, read_about
from evis.training import checkpoint, log

COMPUTING, WAITING = 10, 300  # seconds that a file may take; others may be busy
MEMORY = 2**20  # KiB that it may take
_PIPES = 0.02  # of all files
_PICTURES = "picture", "jpg", "webp", "tif", "bmp"
_NUMBERS = (0, 1, 0x7F, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
_VALUES = (
    *(None, True, 0, -1, 1.5, 1e308, 2**31, 2**63, 10**400, 1e-320),
    *("", "x", "../../x", "/etc/passwd", "\ud800", "a\0b", [], {}, [[]], [None], {"a": {}}),
)
_TEXTS = b"1e999", b"-1e999", b"1e-999", b"NaN", b"0" * 300, b"9" * 5000  # that json can't write
_HEAD = 2048  # bytes
Originals = dict[str, tuple[Path, ...]]


def videos():
    return toy.sample("toy-ytvis19", 4)


def predict(folder: Path) -> None:
    """By a fresh model, whose weights come to lie beside the folder."""
    torch.manual_seed(0)
    dataset = videos().bare()
    names = [category.name for category in dataset.categories]
    model, path = VideoMask2Former(named("tiny_s", len(names))), folder.with_suffix(".weights")
    weights = checkpoints.save(model, path, categories=names)
    run.predict_and_write(dataset, weights, folder / "out", Options(shorter_side=32))


def originals(folder: Path) -> Originals:
    """Of each kind the file that is damaged, then what goes with it."""
    dataset = videos()
    frames = dataset.read_frame.root
    truth = ytvis.write(dataset, folder / "truth.json")
    predict(folder / "predicted")
    safe, results = folder / "predicted.weights", folder / "predicted" / "out" / "results.json"
    film = next((folder / "predicted").rglob("*.mp4"))
    toy.build("toy-davis", folder / "davis", videos=1, progress=False)
    frame = Image.fromarray(dataset.frame(dataset.videos[0].id, 0))
    pictures = [folder / f"picture.{kind}" for kind in ("png", *_PICTURES[1:])]
    for path in pictures:
        frame.save(path)
    packed = predictions.write(predictions.read(results, dataset), folder / "results.zip")
    clicked = clicks.write(weaken(dataset, "point"), folder / "clicks.json")
    with np.load(paths.repository() / "tests" / "golden" / "model_tiny_r50.npz") as stored:
        arrays = {n[7:]: array for n, array in stored.items() if n.startswith("weight:")}
    tensors = {"model": {name: torch.from_numpy(array) for name, array in arrays.items()}}
    torch.save(tensors, folder / "new.pth")
    torch.save(tensors, folder / "old.pth", _use_new_zipfile_serialization=False)
    (folder / "plain.pkl").write_bytes(pickle.dumps({"model": arrays}, protocol=2))
    checkpoint.save(folder / "steps", 1, tensors | {"optimiser": {"state": {}}})
    log.begin(folder, 0)
    for step in range(3):
        log.append(folder, {"step": step, "total": 0.5})
    return {
        "annotations": (truth, results, frames),
        "results": (results, truth),
        "zip": (packed, truth),
        "clicks": (clicked,),
        "rows": (next(paths.results().glob("benchmark-toy-step*.json")),),
        "labels": (next((folder / "davis").rglob("*.png")), folder / "davis"),
        **{kind: (path, safe) for kind, path in zip(_PICTURES, pictures, strict=True)},
        "film": (film, safe),
        "weights": (safe, frames),
        "new": (folder / "new.pth", frames),
        "old": (folder / "old.pth", frames),
        "plain": (folder / "plain.pkl", frames),
        "stand-in": (stand_in.committed("toy_sam"),),
        "step": (next((folder / "steps").iterdir()),),
        "log": (folder / log.NAME,),
    }


def written(kind: str, number: int, known: Originals, folder: Path) -> Path:
    """The damaged file, where its reader looks for it; -> what the reader is given."""
    original, *others = known[kind]
    shutil.rmtree(folder, ignore_errors=True)
    path = folder / original.name
    if kind == "labels":
        shutil.copytree(others[0], folder)
        path = folder / original.relative_to(others[0])
    elif kind == "rows":
        path = folder / "data" / "results" / original.name
    path.parent.mkdir(parents=True, exist_ok=True)
    random = Random(f"{kind} {number}")
    if random.random() < _PIPES:
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    else:
        path.write_bytes(damaged(original.read_bytes(), random))
    return folder if kind in ("rows", "labels", *_PICTURES, "step", "log") else path


def commands(kind: str, path: Path, known: Originals) -> list[tuple]:
    """What a user would give it to; none for what is read as a part of a longer run."""
    others, out = known[kind][1:], ("--out", path.parent / "out", "--overlay", "none")
    if kind == "annotations":
        check = "data", "check", path, "--frames", others[1]
        return [("evaluate", others[0], "--annotations", path), check]
    if kind in ("results", "zip"):
        return [("evaluate", path, "--annotations", others[0])]
    if kind in (*_PICTURES, "film"):
        return [("predict", path, "--weights", others[0], *out)]
    if kind in ("weights", "new", "old", "plain"):
        return [("predict", sorted(others[0].iterdir())[0], "--weights", path, *out)]
    return []


def readers(kind: str, path: Path, known: Originals) -> Iterator[Callable]:
    """As the command line calls them; where that is quick, the command itself."""
    if kind in ("annotations", "results", "zip"):
        for command in commands(kind, path, known):
            yield partial(cli.main, [*map(str, command)])
    elif kind == "rows":
        with mock.patch.dict(os.environ, EVIS_ROOT=str(path)):
            yield lambda: cli.main(["results"])
        yield lambda: store.rows(path / "data" / "results")
    elif kind == "labels":
        yield lambda: davis.read(path, "train")
    elif kind == "clicks":
        yield lambda: clicks.read(path, videos().bare())
    elif kind == "stand-in":
        yield lambda: stand_in.load(ToySam, "toy_sam", path)
    elif kind == "step":
        yield lambda: checkpoint.latest(path)
    elif kind == "log":
        yield lambda: log.begin(path, 2)
    elif kind in (*_PICTURES, "film"):
        dataset = run.open_source(path)
        (video,) = dataset.videos
        yield lambda: [dataset.frame(video.id, frame) for frame in range(video.length)]
    else:
        yield from (lambda: weight_files.load(path), lambda: read_about(path))


def tried(kind: str, number: int, known: Originals, folder: Path) -> str:
    """ "read" or "refused"; any error that is not meant for users is let through."""
    path = written(kind, number, known, folder)
    try:
        statuses = [read() for read in readers(kind, path, known)]
    except (DataError, OSError) as error:
        assert str(error), "an error that says nothing"
        return "refused"
    return "refused" if any(type(status) is int and status == 2 for status in statuses) else "read"


def try_all(numbers: list[tuple[str, int]], known: Originals, folder: Path, told: Path) -> None:
    """A line a file in `told`: what came of it. The process dies of those that take too long."""
    scratch = Path(tempfile.mkdtemp(dir=folder))
    for kind, number in numbers:
        signal.setitimer(signal.ITIMER_PROF, COMPUTING)
        signal.setitimer(signal.ITIMER_REAL, WAITING)
        begin, said, what = time.process_time(), io.StringIO(), ""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            with redirect_stdout(said), redirect_stderr(said):
                outcome = tried(kind, number, known, scratch / "file")
        except BaseException as error:
            outcome, what = "tracebacks", repr(error)[:200]
        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if taken > MEMORY:
            outcome, what = "gigabytes", f"{taken:,} KiB more than any before it"
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        line = kind, number, outcome, round(time.process_time() - begin, 3), what
        with told.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
    shutil.rmtree(scratch)


def damaged(content: bytes, random: Random) -> bytes:
    if content[:1] in (b"{", b"[") and random.random() < 0.7:
        lines = [json.loads(line) for line in content.splitlines()] if b"}\n{" in content else []
        document = _other_json(lines or json.loads(content), random)
        return b"".join(json.dumps(d).encode() + b"\n" for d in (document if lines else [document]))
    if content[:1] in (b"{", b"[") and random.random() < 0.5:
        return _other_text(content, random)
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 5, 20))):
        _damage(changed, random)
    is_png = content.startswith(b"\x89PNG")
    return _checked_again(bytes(changed)) if is_png and random.random() < 0.7 else bytes(changed)


def _damage(content: bytearray, random: Random) -> None:
    """One change, in place."""
    place = random.randrange(min(len(content), random.choice((_HEAD, len(content)))) or 1)
    block = slice(place, place + int(2 ** random.uniform(0, 12)))
    match random.randrange(8):
        case 0:
            content[place : place + 1] = random.randbytes(1)
        case 1:
            content[place : place + 1] = [n ^ 1 << random.randrange(8) for n in content[place:][:1]]
        case 2:
            size, order = random.choice("BHIQ"), random.choice("<>")
            number = random.choice(_NUMBERS) & (1 << 8 * struct.calcsize(size)) - 1
            content[place : place + struct.calcsize(size)] = struct.pack(order + size, number)
        case 3:
            del content[place:]
        case 4:
            del content[block]
        case 5:
            content[place:place] = content[block]
        case 6:
            content[block] = bytes(len(content[block]))
        case 7:
            other = random.randrange(len(content) or 1)
            content[block] = content[other : other + block.stop - place]


def _other_json(document, random: Random):
    """One to three of its values replaced, dropped or doubled."""
    for _ in range(random.choice((1, 1, 2, 3))):
        holder, key, value = None, None, document
        while isinstance(value, dict | list) and value and (not holder or random.random() < 0.8):
            holder = value
            key = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
            value = value[key]
        if holder is None:
            return document
        how = random.randrange(4)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, list):
            holder.insert(key, value)
        elif how == 2 and isinstance(value, int | float):
            holder[key] = random.choice((-value, value + 1, value * 1000, str(value), [value]))
        else:
            holder[key] = random.choice(_VALUES)
    return document


def _other_text(content: bytes, random: Random) -> bytes:
    """A value replaced, or its key repeated with another, as no json writer would."""
    found = list(re.finditer(rb'("\w+": ?)(-?[0-9.]+|"[^"]*"|null)', content))
    if not found:
        return content
    pair = random.choice(found)
    key, value = pair[1], random.choice((*_TEXTS, b"1", b'""', b"[]"))
    begins = pair.start() if random.random() < 0.5 else pair.end()
    between = b"," if begins == pair.end() else b""
    return content[:begins] + between + key + value + content[pair.end() :]


def _checked_again(png: bytes) -> bytes:
    """With the checksums that its chunks have now, which are looked at first."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        body = png[at + 4 : at + 8 + length]
        parts += [png[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(parts)
