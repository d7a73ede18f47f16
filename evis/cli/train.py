"""`evis train`."""

import argparse
import os
import sys
from pathlib import Path

from evis.cli.arguments import add_command, count, processes, whole


def register(commands) -> None:
    add = add_command(commands, "train", train)
    add("recipe RECIPE", "the stage; see the list", nargs="?")
    add("--folder OUT", "for weights, log, checkpoints", type=Path)
    several = {"action": "append", "default": []}
    data = (
        "a set that `evis data check` knows or a toy set, and its folder; or an annotation json of "
        "your own; may be repeated"
    )
    add("--data NAME=DIR|JSON", data, type=_named_path, **several)
    frames = "the frames of such a json, where they are not beside it; in the jsons' order"
    add("--frames DIR", frames, type=Path, **several)
    add("--model FILE", "weights to start from, evis's own or official", type=Path)
    changes = "another value in the recipe, such as lr=3e-4 or settings.beta=1; may be repeated"
    add("--set KEY=VALUE", changes, type=_assignment, **several)
    add("--backbone B", "r50 (the default), r101 or swin_l")
    scale = "toy: generated data, a small model, two CPU cores; full: the papers'"
    add("--scale", scale, choices=("toy", "full"), default="full")
    add("--cpu", "leave GPUs alone", action="store_true")
    add("--threads N", "CPU threads a process", type=processes)
    add(
        "--workers N",
        "processes that read clips ahead; default: 0",
        type=whole(0, most=1024),
        default=0,
    )
    add("--recompute", "recompute activations: less memory, more time", action="store_true")
    add(
        "--deterministic",
        "a GPU adds in a fixed order: the same bits again, in more time",
        action="store_true",
    )
    add("--save-every N", "steps a checkpoint", type=count, default=200)
    add("--log-every N", "steps to a log line", type=count, default=1)
    add("--quiet", "no progress bar", action="store_true")


def _named_path(text: str) -> tuple[str | None, Path]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals and not Path(text).exists() else (None, Path(text))


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def train(options: argparse.Namespace) -> None:
    """Train a stage of a paper or a stand-in, or go on where it was cut off.

    Without RECIPE, list the recipes. Under torchrun, on several GPUs or nodes.

    examples:
      evis train eigencluster.stage1 --scale toy --folder /tmp/stage1
      evis train eigencluster.stage2 --scale toy --folder /tmp/stage2 \\
          --model /tmp/stage1/weights.safetensors --set lr=5e-4 --set settings.beta=0
      evis train boxinst --data cats.json --frames cats --model stage1.safetensors --folder out
      evis train toy_dino --folder /tmp/toy_dino --threads 1
      torchrun --nproc-per-node 8 -m evis train eigencluster.stage2 --backbone r101 \\
          --data youtube-vis-2019=/data/ytvis19 --model stage1.safetensors --folder stage2
    """
    from evis import papers
    from evis.data import toy
    from evis.data.errors import DataError
    from evis.training import changed, engine, stand_ins
    from evis.training.folder import WEIGHTS

    name, is_toy = options.recipe, options.scale == "toy"
    if name is None:
        known = [papers.named(n) for n in papers.recipe_names()]
        known += [stand_ins.named(n) for n in stand_ins.NAMES]
        print("\n".join(f"{recipe.name:30} {recipe.title}" for recipe in known))
        return
    if options.folder is None:
        options.parser.error("--folder OUT is needed to train")
    if name in stand_ins.NAMES:
        _train_stand_in(options)
        return
    if is_toy and options.backbone:
        options.parser.error("--scale toy has a backbone of its own: leave --backbone out")
    recipe = papers.named(name, options.backbone or "r50", toy=is_toy)
    stage = changed(recipe, dict(options.set))
    is_first_process = os.environ.get("RANK", "0") == "0"
    roles, datasets = [role for role, _ in stage.mixture], _given(options)
    if unused := datasets.keys() - roles:
        raise DataError(f"{name} learns from {' and '.join(roles)}, not from {unused.pop()}")
    lacking = [role for role in roles if role not in datasets]
    if lacking and not is_toy:
        remedy = "Give --data (NAME=DIR, or your own JSON), or --scale toy, which generates some"
        raise DataError(f"{name} learns from {' and '.join(lacking)}", remedy=remedy)
    for role in lacking:
        made = toy.TRAINING_SETS[role]
        if is_first_process:
            print(f"evis: no --data for {role}: generated ones are used ({made})", file=sys.stderr)
        datasets[role] = toy.sample(made)
    engine.train(
        stage,
        datasets,
        options.folder,
        papers.method_of(stage),
        options.model,
        device="cpu" if options.cpu else None,
        threads=options.threads,
        workers=options.workers,
        keep_frames=is_toy,
        recompute=options.recompute,
        deterministic=options.deterministic,
        save_every=options.save_every,
        log_every=options.log_every,
        progress=not options.quiet,
    )
    if is_first_process:
        print(f"{stage.name}: {stage.steps} steps, weights in {options.folder / WEIGHTS}")


def _train_stand_in(options: argparse.Namespace) -> None:
    from evis.cli.arguments import chosen_device
    from evis.data import toy
    from evis.training import changed, stand_ins
    from evis.training.folder import WEIGHTS

    for name in ("model", "backbone", "workers", "recompute", "deterministic"):
        if getattr(options, name):
            options.parser.error(f"{options.recipe} is trained without --{name}")
    if options.scale != options.parser.get_default("scale"):
        options.parser.error(f"{options.recipe} has one size: leave --scale out")
    recipe, datasets = changed(stand_ins.named(options.recipe), dict(options.set)), _given(options)
    if len(datasets) > 1:
        options.parser.error(f"{options.recipe} learns from one --data")
    if not datasets:
        print(f"evis: no --data: generated ones are used ({stand_ins.DATA})", file=sys.stderr)
    stand_ins.train(
        recipe,
        *(datasets.values() or [toy.sample(stand_ins.DATA)]),
        options.folder,
        device=chosen_device("cpu" if options.cpu else "auto"),
        threads=options.threads,
        save_every=options.save_every,
        log_every=options.log_every,
        progress=not options.quiet,
    )
    print(f"{recipe.name}: {recipe.steps} steps, weights in {options.folder / WEIGHTS}")


def _given(options: argparse.Namespace) -> dict:
    """The sets by what they are to a recipe, "videos" or "stills"."""
    from evis.data import catalog, own, toy
    from evis.data.errors import DataError

    known, datasets, frames = (*catalog.SETS, *toy.SPECS), {}, list(options.frames)
    for name, path in options.data:
        if name in toy.SPECS and not path.exists():
            dataset = toy.build(name, path)
        elif name in known and path.suffix.lower() != ".json":
            real = catalog.SETS[toy.SPECS[name].real if name in toy.SPECS else name]
            dataset = real.read(path, real.splits[0])  # the training split
        elif name is None or path.exists():
            dataset = own.read(path, frames.pop(0) if frames else None)
        else:
            remedy = f"Known sets: {', '.join(known)}. For a set of your own give its json"
            raise DataError(f"unknown data set {name!r}", remedy=remedy)
        role = "stills" if dataset.are_stills else "videos"
        if role in datasets:
            options.parser.error(f"--data names {role} twice")
        datasets[role] = dataset
    if frames:
        options.parser.error("--frames belong to a json of --data each, and there are fewer")
    return datasets
