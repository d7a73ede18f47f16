"""Training in processes of its own, one a GPU, started and followed from a notebook.

An interrupt ends the training after its step, and a checkpoint is written; the same call again goes
on from there. So does a call after a crash, from the last checkpoint.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from evis.data.errors import DataError
from evis.training import budget, log, ready
from evis.training.folder import WEIGHTS
from evis.training.recipes import Recipe

OUTPUT = "output.txt"  # what the processes print, in the run's folder
_LOOK = 0.2  # seconds between two looks at the log
_TAIL = 2**16  # bytes of the log that are looked at: more than a line


def gpus() -> int:
    """The visible GPUs; nothing is started on them."""
    return torch.cuda.device_count()


def command(
    recipe: str,
    folder: str | Path,
    data: Mapping[str, str | Path],
    model: str | Path | None = None,
    *,
    processes: int = 1,
    backbone: str | None = None,
    scale: str = "full",
    changes: Mapping[str, object] | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """The `evis train` that does it, under torchrun where there are several processes.

    data: the sets' names and folders. changes: other values in the recipe (`--set`). options: more
    of the command line, such as --workers 4 or --cpu.
    """
    words = ["train", recipe, "--scale", scale, "--folder", str(folder), "--quiet", *options]
    if backbone:
        words += ["--backbone", backbone]
    if model:
        words += ["--model", str(model)]
    for name, root in data.items():
        words += ["--data", f"{name}={root}"]
    for key, value in (changes or {}).items():
        words += ["--set", f"{key}={value}"]
    several = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    several += ["--nproc-per-node", str(processes)]
    return [sys.executable, *(several if processes > 1 else []), "-m", "evis", *words]


def stages(
    recipes: Sequence[Recipe],
    root: Path,
    folder: Path,
    start_from: Path | None,
    backbone: str,
    gpus: int,
) -> dict[str, list[str]]:
    """Each recipe's command, every stage starting from what the one before it trained.

    root: where the data sets are. folder: each stage gets a folder below it.
    """
    commands, weights = {}, start_from
    for recipe in recipes:
        own = folder / recipe.name
        commands[recipe.name] = command(
            recipe.name,
            own,
            ready.data(recipe, root),
            weights,
            processes=budget.processes(recipe, gpus),
            backbone=backbone,
            options=("--workers", "4"),
        )
        weights = own / WEIGHTS
    return commands


def run(
    command: Sequence[str], folder: str | Path, steps: int, name: str, progress: bool = True
) -> None:
    """Run the command to its end, with a bar of the steps that its folder's log holds.

    What the processes print goes to output.txt in the folder; its end is shown if they fail.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _last(folder / log.NAME)
    done = earlier["step"] + 1 if earlier else 0
    bar = tqdm(total=steps, initial=done, desc=name, unit="step", disable=not progress)
    with bar, open(folder / OUTPUT, "wb") as output:
        # A session of its own: Ctrl-C reaches this process, which passes it on once.
        process = subprocess.Popen(
            list(command), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _follow(process, folder, bar)
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if process.returncode:
        printed = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()
        raise DataError(
            f"training ended with exit status {process.returncode}",
            file=folder / OUTPUT,
            remedy="\n".join(["It says:", *printed[-12:]]),
        )


def _follow(process: subprocess.Popen, folder: Path, bar: tqdm) -> None:
    done = False
    while not done:
        done = process.poll() is not None  # before the look, so that the last one sees all
        last = _last(folder / log.NAME)
        if last and last["step"] + 1 != bar.n:
            bar.n = last["step"] + 1
            bar.set_postfix(total=f"{last['total']:.3f}")
        if not done:
            time.sleep(_LOOK)


def _last(path: Path) -> dict[str, Any] | None:
    """The last whole line of a log that grows, without reading all of it."""
    if not path.exists():
        return None
    with open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        text = stream.read()
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    return json.loads(lines[-1]) if lines else None
