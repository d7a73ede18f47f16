"""The loop that trains stand-ins: seeds a step, checkpoints, a lock and a log, as the engine's.

Nothing random outlives a step: all generators are seeded anew by (seed, step), so that a run that
is cut off and resumed makes the same steps, to the last bit on one thread of one kind of CPU.
"""

import json
import math
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from evis.data import files, provenance
from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.foundation import stand_in
from evis.training import checkpoint, log
from evis.training import folder as folders
from evis.training.optimiser import adamw, learning_rate, set_learning_rate
from evis.training.recipe import check_numbers, outside
from evis.training.reproducible import in_fixed_order, interrupt_between_steps, seed


class Task(nn.Module, ABC):
    """All that a step changes, but the optimiser: its state goes into checkpoints."""

    learned: nn.Module  # what the optimiser moves
    network: nn.Module  # what is written in the end

    @abstractmethod
    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Every term of a step's loss by name, the one that is minimised under "total"."""

    def after(self, step: int) -> None:
        """What follows the optimiser's step, counted from 0."""


@dataclass(frozen=True, kw_only=True)
class StandIn(ABC):
    """A recipe, as plain data."""

    name: str
    title: str
    steps: int
    batch: int  # pictures a step
    learning_rate: float
    warm_up_steps: int
    weight_decay: float
    clip_norm: float  # of the gradient
    size: tuple[int, int]  # height and width that pictures are brought to
    seed: int = 0
    schedule: ClassVar[str] = "cosine"  # of the learning rate
    kind: ClassVar[type[nn.Module]]  # of the network
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {  # whole numbers between whole ones
        "steps": (1, 10_000_000),
        "batch": (1, 4096),
        "learning_rate": (1e-12, 1e3),
        "warm_up_steps": (0, 10_000_000),
        "weight_decay": (0.0, 1e3),
        "clip_norm": (1e-12, 1e12),
        "size": (16, 1024),
        "seed": (0, 2**32 - 1),
    }

    def __post_init__(self) -> None:
        if problem := outside(self, self.limits):
            raise DataError(problem, field=f"recipe {self.name}")

    @abstractmethod
    def task(self, dataset: VISDataset) -> Task:
        """A fresh one. What it may not learn from, it doesn't look at."""


def train(
    recipe: StandIn,
    dataset: VISDataset,
    folder: str | Path,
    *,
    device: str | torch.device = "cpu",
    threads: int | None = None,
    save_every: int = 200,
    log_every: int = 10,
    progress: bool = True,
) -> nn.Module:
    """Run the recipe into `folder`, or go on where it was cut off; the trained network.

    The folder gets weights.safetensors, recipe.json and log.jsonl; while training, checkpoints and
    a lock, so that no other process trains into it. Reseeds the generators of torch, numpy, python.
    """
    check_numbers(threads=threads, save_every=save_every, log_every=log_every)
    folder, on_cpu = Path(folder), torch.device(device).type == "cpu"
    weights, checkpoints = folder / folders.WEIGHTS, folder / folders.CHECKPOINTS
    manifest = {"recipe": asdict(recipe), "data": folders.told(dataset)}
    manifest = json.loads(json.dumps(manifest))  # as it will be read back
    with folders.locked(folder):
        folders.refuse_another(folder, manifest)
        if weights.exists():
            return stand_in.load(recipe.kind, recipe.name, weights, device)
        files.write_json(folder / folders.RECIPE, manifest, indent=1)
        seed(recipe.seed, 0)
        task = recipe.task(dataset).to(device)
        decay = recipe.weight_decay
        optimiser = adamw(task.learned, recipe.learning_rate, decay, backbone_multiplier=1.0)
        parts = {"task": task, "optimiser": optimiser}
        start = checkpoint.restore(checkpoints, parts)
        log.begin(folder, start)
        bar = tqdm(
            total=recipe.steps, initial=start, desc=recipe.name, unit="step", disable=not progress
        )
        with bar, in_fixed_order(threads, on_cpu), interrupt_between_steps() as interrupted:
            for step in range(start, recipe.steps):
                values = _advance(task, optimiser, recipe, step)
                stop, last = interrupted.is_set(), step + 1 == recipe.steps
                if step % log_every == 0 or last:
                    log.append(folder, values)
                    bar.set_postfix(total=values["total"], refresh=False)
                bar.update()
                if stop or last or (step + 1) % save_every == 0:
                    log.to_disk(folder)
                    state = {name: part.state_dict() for name, part in parts.items()}
                    checkpoint.save(checkpoints, step + 1, state)
                if stop:
                    raise KeyboardInterrupt
        about = {"recipe": manifest["recipe"], **provenance.of_code()}
        stand_in.save(task.network, weights, **about)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return task.network.eval()


def _advance(
    task: Task, optimiser: torch.optim.Optimizer, recipe: StandIn, step: int
) -> dict[str, Any]:
    begin, processor = time.perf_counter(), time.process_time()
    rate = learning_rate(recipe, step)
    set_learning_rate(optimiser, rate)
    terms = task(step, seed(recipe.seed, 1 + step))
    terms["total"].backward()
    norm = nn.utils.clip_grad_norm_(task.learned.parameters(), recipe.clip_norm)
    values = {name: float(term.detach()) for name, term in terms.items()}
    if not (math.isfinite(values["total"]) and math.isfinite(norm)):
        remedy = "Lower the learning rate, or warm up longer"
        problem = "the loss or its gradient is NaN or infinite: training diverged"
        raise DataError(problem, field=f"{recipe.name}, step {step}", remedy=remedy)
    optimiser.step()
    optimiser.zero_grad()
    task.after(step)
    return {
        "step": step,
        **values,
        "learning_rate": rate,
        "gradient_norm": float(norm),
        "seconds": round(time.perf_counter() - begin, 4),
        "processor_seconds": round(time.process_time() - processor, 4),
    }


def pictures(dataset: VISDataset, size: tuple[int, int]) -> np.ndarray:
    """All frames of all videos, (n, *size, 3) uint8, no label of any kind."""
    frames = [
        cv2.resize(dataset.frame(video.id, frame), size[::-1], interpolation=cv2.INTER_AREA)
        for video in dataset.videos
        for frame in range(video.length)
    ]
    if not frames:
        raise DataError("there is no picture to learn from", remedy="Give a set with videos")
    return np.stack(frames)
