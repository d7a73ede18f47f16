"""`evis train`."""

import argparse
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from evis.cli.arguments import Count, UsageError


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def _named_path(text: str) -> tuple[str | None, Path]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals and not Path(text).exists() else (None, Path(text))


def train(
    recipe: str | None = None,
    *,
    folder: Path | None = None,
    data: list[Annotated[tuple, _named_path]] = (),
    frames: list[Path] = (),
    model: Path | None = None,
    set: list[Annotated[tuple, _assignment]] = (),
    backbone: str = "r50",
    scale: Literal["toy", "full"] = "full",
    cpu: bool = False,
    threads: Count | None = None,
    workers: Count = 0,
    recompute: bool = False,
    save_every: Count = 200,
    log_every: Count = 1,
    quiet: bool = False,
) -> None:
    """Train a stage of a paper, or go on where it was cut off.

    Without RECIPE, list the recipes. Under torchrun, on several GPUs or nodes.

    recipe RECIPE: the stage; see the list
    folder OUT: for weights, log, checkpoints
    data NAME=DIR|JSON: a set that `evis data check` knows or a toy set, and its folder; or an
      annotation json of your own; may be repeated
    frames DIR: the frames of such a json, where they are not beside it; in the jsons' order
    model FILE: weights to start from, evis's own or official
    set KEY=VALUE: another value in the recipe, such as lr=3e-4 or settings.beta=1; may be repeated
    backbone B: r50, r101 or swin_l
    scale: toy: generated data, a small model, two CPU cores; full: the papers' (the default)
    cpu: leave GPUs alone
    threads N: CPU threads a process
    workers N: processes that read clips ahead
    recompute: recompute activations: less memory, more time
    save_every N: steps a checkpoint
    log_every N: steps to a log line
    quiet: no progress bar

    examples:
      evis train eigencluster.stage1 --scale toy --folder /tmp/stage1
      evis train eigencluster.stage2 --scale toy --folder /tmp/stage2 \\
          --model /tmp/stage1/weights.safetensors --set lr=5e-4 --set settings.beta=0
      evis train boxinst --data cats.json --frames cats --model stage1.safetensors --folder out
      torchrun --nproc-per-node 8 -m evis train eigencluster.stage2 --backbone r101 \\
          --data youtube-vis-2019=/data/ytvis19 --model stage1.safetensors --folder stage2
    """
    from evis import papers
    from evis.data.errors import DataError
    from evis.training import changed, engine
    from evis.training.folder import WEIGHTS

    if recipe is None:
        print("\n".join(f"{n:30} {papers.named(n).title}" for n in papers.recipe_names()))
        return
    if folder is None:
        raise UsageError("--folder OUT is needed to train")
    stage = changed(papers.named(recipe, backbone, toy=scale == "toy"), dict(set))
    is_first_process = os.environ.get("RANK", "0") == "0"
    roles, datasets = [role for role, _ in stage.mixture], _given(data, frames)
    if unused := datasets.keys() - roles:
        raise DataError(f"{recipe} learns from {' and '.join(roles)}, not from {unused.pop()}")
    lacking = [role for role in roles if role not in datasets]
    if lacking and scale == "full":
        remedy = "Give --data (NAME=DIR, or your own JSON), or --scale toy, which generates some"
        raise DataError(f"{recipe} learns from {' and '.join(lacking)}", remedy=remedy)
    datasets |= _generated(lacking, say=is_first_process)
    engine.train(
        stage,
        datasets,
        folder,
        papers.method_of(stage),
        model,
        device="cpu" if cpu else None,
        threads=threads,
        workers=workers,
        keep_frames=scale == "toy",
        recompute=recompute,
        save_every=save_every,
        log_every=log_every,
        progress=not quiet,
    )
    if is_first_process:
        print(f"{stage.name}: {stage.steps} steps, weights in {folder / WEIGHTS}")


def _given(data: list[tuple], frames: list[Path]) -> dict:
    """The sets by what they are to a recipe, "videos" or "stills"."""
    from evis.data import catalog, own, toy
    from evis.data.errors import DataError

    known, datasets, frames = (*catalog.SETS, *toy.SPECS), {}, list(frames)
    for name, path in data:
        if name in known and path.suffix.lower() != ".json":
            dataset = _known(name, path)
        elif name is None or path.exists():
            dataset = own.read(path, frames.pop(0) if frames else None)
        else:
            remedy = f"Known sets: {', '.join(known)}. For a set of your own give its json"
            raise DataError(f"unknown data set {name!r}", remedy=remedy)
        role = "stills" if all(video.length == 1 for video in dataset.videos) else "videos"
        if role in datasets:
            raise UsageError(f"--data names {role} twice")
        datasets[role] = dataset
    if frames:
        raise UsageError("--frames belong to a json of --data each, and there are fewer of those")
    return datasets


def _known(name: str, folder: Path):
    """The training split of a real set, or of a toy set, which is built if it is not there."""
    from evis.data import catalog, toy

    if name in toy.SPECS and not folder.exists():
        return toy.build(name, folder)
    real = catalog.SETS[toy.SPECS[name].real if name in toy.SPECS else name]
    return real.read(folder, real.splits[0])


def _generated(roles: list[str], say: bool) -> dict:
    from evis.data import toy

    for role in roles if say else ():
        name = toy.TRAINING_SETS[role]
        print(f"evis: no --data for {role}: generated ones are used ({name})", file=sys.stderr)
    return {role: toy.sample(toy.TRAINING_SETS[role]) for role in roles}
