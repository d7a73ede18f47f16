"""`evis train`."""

import argparse
import os
import sys
from pathlib import Path

from evis.cli.arguments import add_command, count


def add(commands) -> None:
    parser = add_command(
        commands,
        "train",
        _train,
        help="train a stage of a paper, or go on where it was cut off",
        description="Train a stage of a paper, or go on where it was cut off.\n"
        "Without RECIPE, list the recipes. Under torchrun, on several GPUs or nodes.",
        examples="  evis train eigencluster.stage1 --scale toy --folder /tmp/stage1\n"
        "  evis train eigencluster.stage2 --scale toy --folder /tmp/stage2 \\\n"
        "      --model /tmp/stage1/weights.safetensors --set lr=5e-4 --set settings.beta=0\n"
        "  torchrun --nproc-per-node 8 -m evis train eigencluster.stage2 --backbone r101 \\\n"
        "      --data youtube-vis-2019=/data/ytvis19 --model stage1.safetensors --folder stage2",
    )
    parser.set_defaults(usage_error=parser.error)
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", help="the stage; see the list")
    parser.add_argument("--folder", type=Path, metavar="OUT", help="for weights, log, checkpoints")
    parser.add_argument(
        "--data",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a set as `evis data check` knows it, or a toy set, and its folder; may be repeated",
    )
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="weights to start from, evis's own or official"
    )
    parser.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="another value in the recipe, such as lr=3e-4 or settings.beta=1; may be repeated",
    )
    parser.add_argument(
        "--backbone", default="r50", metavar="B", help="r50 (the default), r101 or swin_l"
    )
    parser.add_argument(
        "--scale",
        choices=("toy", "full"),
        default="full",
        help="toy: generated data, a small model, two CPU cores; full: the papers' (the default)",
    )
    parser.add_argument("--cpu", action="store_true", help="leave GPUs alone")
    parser.add_argument("--threads", type=count, metavar="N", help="CPU threads a process")
    parser.add_argument(
        "--workers", type=count, default=0, metavar="N", help="processes that read clips ahead"
    )
    parser.add_argument(
        "--recompute", action="store_true", help="recompute activations: less memory, more time"
    )
    parser.add_argument(
        "--save-every",
        type=count,
        default=200,
        metavar="N",
        help="steps a checkpoint; default: 200",
    )
    parser.add_argument(
        "--log-every", type=count, default=1, metavar="N", help="steps to a log line; 1"
    )
    parser.add_argument("--tensorboard", action="store_true", help="log for TensorBoard too")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def _train(options: argparse.Namespace) -> int:
    from evis import papers
    from evis.training import changed, engine, folder

    if options.recipe is None:
        print("\n".join(f"{n:30} {papers.named(n).title}" for n in papers.recipe_names()))
        return 0
    if options.folder is None:
        options.usage_error("--folder OUT is needed to train")
    recipe = papers.named(options.recipe, options.backbone, toy=options.scale == "toy")
    recipe = changed(recipe, dict(options.changes))
    datasets = _datasets(options, [name for name, _ in recipe.mixture])
    engine.train(
        recipe,
        datasets,
        options.folder,
        papers.method_of(recipe),
        options.model,
        device="cpu" if options.cpu else None,
        threads=options.threads,
        workers=options.workers,
        keep_frames=options.scale == "toy",
        recompute=options.recompute,
        save_every=options.save_every,
        log_every=options.log_every,
        tensorboard=options.tensorboard,
        progress=not options.quiet,
    )
    if os.environ.get("RANK", "0") == "0":
        print(f"{recipe.name}: {recipe.steps} steps, weights in {options.folder / folder.WEIGHTS}")
    return 0


def _datasets(options: argparse.Namespace, wanted: list[str]) -> dict:
    """The sets by what they are to a recipe, "videos" or "stills"; toy ones are made if missing."""
    from evis.data import toy

    found = {}
    for name, folder in options.data:
        dataset = _read(name, Path(folder))
        role = "stills" if all(video.length == 1 for video in dataset.videos) else "videos"
        if role in found:
            options.usage_error(f"--data names {role} twice")
        found[role] = dataset
    if options.scale == "toy":
        for role in (role for role in wanted if role not in found and role in toy.TRAINING_SETS):
            name = toy.TRAINING_SETS[role]
            print(f"no --data for {role}: generated ones are used ({name})", file=sys.stderr)
            found[role] = toy.sample(name)
    return found


def _read(name: str, folder: Path):
    """The training split of a real set, or of a toy set, which is built if it is not there."""
    from evis.data import catalog, toy
    from evis.data.errors import DataError

    if name in toy.names():
        if not folder.exists():
            return toy.build(name, folder)
        name = toy.SPECS[name].real  # whose layout it has
    if name not in catalog.names():
        known = ", ".join((*catalog.names(), *toy.names()))
        raise DataError(f"unknown data set {name!r}", remedy=f"Known sets: {known}")
    real = catalog.SETS[name]
    return real.read(folder, real.splits[0])
