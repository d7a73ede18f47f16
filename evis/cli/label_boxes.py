"""`evis label boxes`: masks from boxes, the kinds of PM-VIS's among them."""

import argparse
from pathlib import Path

from evis.cli import label_common as common
from evis.cli.arguments import add_command, chosen_device, count

# What goes with which --with; of a single kind's nothing does.
WAYS = {
    "track": ("keys", "other", "through", "size", "every", "weights"),
    "best": ("keys", "other", "through", "size", "every", "weights"),
    "idol": ("keys", "weights"),
}


def register(ways) -> None:
    add = add_command(ways, "boxes", boxes)
    add("videos SET", "an annotation json, or a known data set's folder, with boxes", type=Path)
    common.add_common(add)
    by = (
        "grabcut, ellipse, fill, toy_sam (trained on generated pictures), the folder of a SAM's or "
        "SAM-HQ's weights or its name in the cache, or a json of masks that this command made of "
        "the same boxes"
    )
    kinds = (
        "; or track: masks of single frames carried through the video; or best: of these, those of "
        "--other, and what is carried from where they agree, whichever agrees best (PM-VIS); or "
        "idol: a model's own, which it was trained to make from boxes, by the boxes they fit"
    )
    add("--with W", by + kinds, dest="by", default="grabcut")
    keys = (
        "with track or best, what makes the masks to start from, as --with, or idol, as PM-VIS has "
        "it; with idol, what to compare predictions to"
    )
    add("--keys W", keys, default="grabcut")
    other = (
        "with best, what makes the second kind, as --keys; with track, the same: masks are carried "
        "from where both agree; where --keys is idol, predictions are compared to it too; default: "
        "toy_sam, but with track none unless --keys is idol"
    )
    add("--other W", other)
    through = "what carries them: colour, toy_dino, or a DINO's or SAM 2's folder or cached name"
    add("--through W", f"with track or best, {through}", default="colour")
    common.add_size(add, "--through")
    every = "one frame to start from in so many, at least one an object (PM-VIS's K)"
    add("--every K", f"with track or best, {every}", type=count, default=10)
    weights = (
        "with idol, the model's; what evis trained on masks of videos is refused, for other files "
        "you answer"
    )
    add("--weights W", weights, type=Path)
    add("--tidy", "no overlaps, nothing out of its box (PM-VIS's DOOB)", action="store_true")


def boxes(options: argparse.Namespace) -> None:
    """Turn boxes into masks; annotated masks are not read.

    PM-VIS's Track-masks-final are --with best --keys idol, HQ-SAM the --other.

    examples:
      evis label boxes boxes.json --frames cats/ --out masks.json
      evis label boxes /data/ytvis19 --split train --with sam-hq-vit-base/ --tidy --out m.json
      evis label boxes /data/ovis --with track --keys sam-hq/ --through sam2/ --out m.json
      evis label boxes boxes.json --with idol --weights boxinst.safetensors --out m.json
      evis label boxes boxes.json --with best --keys idol --weights boxinst.safetensors \\
          --other sam-hq/ --through sam2/ --out m.json
    """
    from evis.labels import select, videos
    from evis.labels.best import Best

    _check(options)
    device, by_model = chosen_device(options.device), "idol" in (options.by, options.keys)
    if options.by == "idol":
        found = _predicted(options, options.keys, device)
        common.write(options, select.tidied(found) if options.tidy else found)
        return
    if options.by in WAYS:
        other = options.other or ("toy_sam" if by_model or options.by == "best" else None)
        keys = _kept(options, other, device) if by_model else options.keys
        how = {"other": other, "through": options.through, "every": options.every}
        how |= {"tidy": options.tidy, "size": options.size, "device": device}
        labeller = {"track": videos.Tracked, "best": Best}[options.by](keys, **how)
    else:
        labeller = videos.Boxes(options.by, options.tidy, device)
    common.write(options, common.made(options, labeller))


def _check(options: argparse.Namespace) -> None:
    """That the options go together."""
    for name in ("keys", "other", "through", "size", "every", "weights"):
        given = getattr(options, name) != options.parser.get_default(name)
        if given and name not in WAYS.get(options.by, ()):
            fits = " or ".join(by for by, own in WAYS.items() if name in own)
            options.parser.error(f"--{name} goes with --with {fits}")
    by_model = "idol" in (options.by, options.keys)
    if options.by == options.keys == "idol" or options.other == "idol":
        options.parser.error("idol's are compared to masks of another kind")
    if by_model and options.weights is None:
        options.parser.error("idol needs --weights")
    if options.weights is not None and not by_model:
        options.parser.error("--weights goes with idol, in --with or --keys")
    if options.size is not None and options.through == "colour":
        options.parser.error("--size goes with --through a DINO's")


def _kept(options: argparse.Namespace, prompted: str, device: str) -> str:
    """The file of a model's masks, from which others are made video by video."""
    from evis.data import annotations

    found = _predicted(options, prompted, device)
    return str(annotations.write(found, common.parts(options) / "idol.json"))


def _predicted(options: argparse.Namespace, prompted: str, device: str):
    """Masks of a model that was trained from boxes, given to these boxes by SCM.

    prompted: what makes the masks that they are compared to, as they come: DOOB is for what was
    assigned (PM-VIS, section III-A 2).
    """
    from dataclasses import replace

    from evis.inference import Options, predict_dataset
    from evis.labels import assigned, taught_by, videos

    by, parts = videos.Boxes(prompted, device=device), common.parts(options)
    boxes = by.seen(common.placed(options))
    taught_by.check(options.weights, boxes.supervision)
    known = videos.make(boxes, by, parts / "keys", options.jobs)
    found = predict_dataset(
        options.weights,
        replace(boxes.bare(), categories=()),
        Options(top=assigned.PREDICTIONS, class_agnostic=True),
        options.jobs,
        parts / "predicted",
        device,
    )
    return assigned.by_scm(boxes, known, found, f"predictions of {options.weights.name}")
