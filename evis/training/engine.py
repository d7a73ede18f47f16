"""The one training loop, for all recipes, on anything from two CPU cores to several nodes.

    torchrun --nproc-per-node 8 -m evis train eigencluster.stage2 --data ... --folder out

A step is `Recipe.micro_batches` micro-batches of clips. Each has its own loss, as each GPU has in
the published training, and the step's gradient is their mean. What a loss divides by is told to it,
the mean number of objects a micro-batch, so that an object weighs the same however a step is split.
Process r of w takes micro-batches r, r + w, ... of a step, so any number of processes that divides
them makes the same steps.

Nothing random outlives a micro-batch: all generators are seeded anew by (seed, micro-batch number),
so a run that is cut off anywhere and resumed from its last checkpoint makes the same steps too. On
a CPU the weights are the same to the last bit, given the same number of threads; on GPUs some of
the kernels add in no fixed order, unless they are told to (`deterministic`).

A step is neither compiled nor kept as a CUDA graph: `torch.compile` needs a compiler, which evis
does without, and either would begin anew with each size and number of objects that clips have.
"""

import signal
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from evis.data import files
from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.models.allocator import keep_freed_memory
from evis.training import folder as folders
from evis.training import log
from evis.training.batches import Batch, Batches, admit
from evis.training.method import Method
from evis.training.recipe import Recipe, check_numbers
from evis.training.reproducible import fix_cublas, in_fixed_order, interrupt_between_steps
from evis.training.run import Run


def train(
    recipe: Recipe,
    datasets: Mapping[str, VISDataset],
    folder: str | Path,
    method: Method,
    weights: str | Path | None = None,
    *,
    device: Literal["cpu"] | None = None,
    threads: int | None = None,
    workers: int = 0,
    keep_frames: bool = False,
    recompute: bool = False,
    deterministic: bool = False,
    save_every: int = 200,
    log_every: int = 1,
    progress: bool = True,
) -> nn.Module:
    """Run the recipe into `folder`, or go on where an earlier call was cut off; the trained model.

    datasets: "videos" and "stills", as the recipe's mixture asks; what its supervision forbids is
    taken off before any clip is made. method: the network and the loss, such as a paper's module
    `method`. weights: the file to start from, where the recipe's `init` wants one.

    The folder gets weights.safetensors, recipe.json and log.jsonl; while training, checkpoints and
    a lock, so that no other process trains into it. The rest is how to run it, and changes no
    number but rounding: `device="cpu"` leaves a GPU alone; `threads` is how many a process computes
    with on a CPU (one is often faster where others are busy too); `workers` processes read clips
    ahead, or `keep_frames` keeps decoded frames in memory; `recompute` saves memory for time;
    `deterministic` makes a GPU add in a fixed order too, which takes longer: the same bits again on
    the same kind of GPU. Products are in full float32 on GPUs, convolutions in TF32 unless
    `deterministic` (torch's own defaults), and in bf16 or fp16 where the recipe's `precision` says.
    Reseeds the generators of torch, numpy and python.
    """
    check_numbers(threads=threads, save_every=save_every, log_every=log_every)
    check_numbers(0, workers=workers)
    if device not in (None, "cpu"):
        problem, remedy = f"device should be None or cpu, is {device!r}", "None is the first GPU"
        raise DataError(problem, remedy=f"{remedy}; CUDA_VISIBLE_DEVICES says which that is")
    folder = Path(folder)
    if deterministic and device != "cpu":
        fix_cublas()
    accelerator = _accelerator(recipe, device)
    on_cpu, main = accelerator.device.type == "cpu", accelerator.is_main_process
    if on_cpu:
        keep_freed_memory()
    weights = weights and Path(weights)
    if weights and not files.regular(weights).exists():
        raise DataError("there is no such file", file=weights, remedy="Check the path")
    sources = admit(recipe, datasets)
    manifest = folders.manifest(recipe, sources, weights)
    writes = main and not (folder / folders.WEIGHTS).exists()
    with folders.locked(folder) if writes else nullcontext():
        folders.refuse_another(folder, manifest)
        run = Run(recipe, sources, method, weights, folder, accelerator)
        if main:
            files.write_json(folder / folders.RECIPE, manifest, indent=1)
        if not run.is_finished:
            run.model.recompute_activations = recompute
            loader = _loader(run, sources, workers, keep_frames)
            with in_fixed_order(threads, on_cpu, deterministic):
                _loop(run, loader, folder, save_every, log_every, progress and main)
        return run.finish()


def _accelerator(recipe: Recipe, device: Literal["cpu"] | None) -> Accelerator:
    # A notebook may train twice, in different precisions or on different devices.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    # CUDA or the CPU: losses need float64, which other GPUs that accelerate would take do without.
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=recipe.precision)
    if recipe.precision == "fp16" and accelerator.device.type == "cpu":
        raise DataError(  # accelerate would train in full precision and not say so
            "fp16 needs a GPU",
            field=f"recipe {recipe.name}, precision",
            remedy="Train in bf16, or in full precision (--set precision=no)",
        )
    return accelerator


def _loop(
    run: Run,
    loader: Iterator[Batch],
    folder: Path,
    save_every: int,
    log_every: int,
    progress: bool,
) -> None:
    """The steps that are left; the main process logs and saves. Ctrl-C ends it after a step."""
    main, name, steps = run.accelerator.is_main_process, run.recipe.name, run.recipe.steps
    if main:
        log.begin(folder, run.step)
    bar = tqdm(total=steps, initial=run.step, desc=name, unit="step", disable=not progress)
    with bar, interrupt_between_steps() as interrupted:
        while run.step < steps:
            values = run.advance(loader)
            if run.step % log_every == 0 or run.step == steps:
                values = run.average(values)
                if main:
                    log.append(folder, values)
                    bar.set_postfix(total=values["total"], refresh=False)
            bar.update()
            stop = interrupted.is_set()
            if main and (stop or run.step % save_every == 0 or run.step == steps):
                log.to_disk(folder)
                run.save()
            if stop:
                raise KeyboardInterrupt


def _loader(
    run: Run, sources: Mapping[str, VISDataset], workers: int, keep_frames: bool
) -> Iterator[Batch]:
    """This process's micro-batches from the run's step on."""
    recipe, processes = run.recipe, run.accelerator.num_processes
    if recipe.micro_batches % processes:
        raise DataError(
            f"{recipe.micro_batches} micro-batches a step can't be shared by {processes} processes",
            remedy=f"Choose a micro_batch that leaves a multiple of {processes}; "
            f"the batch is {recipe.batch} clips",
        )
    batches = Batches(recipe, sources, keep_frames)
    first = run.step * recipe.micro_batches + run.accelerator.process_index
    numbers = range(first, len(batches), processes)
    loader = DataLoader(
        _Told(batches),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        worker_init_fn=_leave_interrupts,
        pin_memory=run.accelerator.device.type == "cuda",
    )
    return map(_raised, iter(loader))


class _Told(Dataset):
    """Errors meant for users as values: what a worker raises torch wraps in its traceback."""

    def __init__(self, batches: Batches):
        self.batches = batches

    def __getitem__(self, number: int) -> Batch | DataError:
        try:
            return self.batches[number]
        except DataError as error:
            return error


def _raised(batch: Batch | DataError) -> Batch:
    if isinstance(batch, DataError):
        raise batch
    return batch


def _leave_interrupts(worker: int) -> None:
    """Ctrl-C reaches workers too; the process they read for ends them after its step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
