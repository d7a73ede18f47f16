"""`evis label`: pseudo labels for videos, from nothing, motion, boxes or clicks."""

import argparse
from pathlib import Path

from evis.cli import label_boxes
from evis.cli import label_common as common
from evis.cli.arguments import add_command, chosen_device, count, share


def register(commands) -> None:
    group = commands.add_parser("label", help="make pseudo labels to train on")
    ways = group.add_subparsers(metavar="COMMAND", required=True)
    for name, function in (("none", none), ("motion", motion)):
        add = add_command(ways, name, function, {"none": "maskcut", "motion": "flowcut"}[name])
        add("videos VIDEOS", common.VIDEOS, type=Path)
        common.add_common(add)
        features = (
            "what patches are told by: colour, toy_dino, or a DINO's folder, .pth or name in the "
            "cache"
        )
        add("--features F", features, default="colour")
        common.add_size(add, "--features")
        if name == "motion":
            alpha = (
                "weight of appearance against motion, which the paper does not state; 1 is without "
                "motion, and of what is below 1 the default did best on generated validation "
                "videos, with colour features (notebook 31)"
            )
            add("--alpha A", alpha, type=share, default=0.75)
            flow = "what tells the motion: dis (OpenCV), or a file of torchvision's weights of RAFT"
            add("--flow F", flow, default="dis")
            pairs = "pairs of frames whose masks agree in place of whole videos (FlowCut, Alg. 1)"
            add("--pairs", pairs, action="store_true")
        else:
            listed = "the classes that objects may have: person,dog or a .txt with one a line"
            add("--names LIST", f"{listed}; default: all are objects")
            namer = "with --names, what compares crops with them: toy_clip, or a CLIP's folder or "
            add("--clip C", f"{namer}name in the cache", default="toy_clip")
            likely = "with --names, the probability of its name from which a mask stays (Eq. 1)"
            add("--name-from P", f"{likely}; default: 0.7, with toy_clip 0.25", type=share)
            alike = "with --names, the cosine to its class's prototypes from which it stays"
            add("--prototype-from P", f"{alike}; default: 0.7, with toy_clip 0.95", type=share)
        add("--tau T", "cosine above which patches are linked", type=share, default=0.15)
        add("--count N", "cuts a frame", type=count, default=3)
        flavour = "MaskCut as FlowCut writes it, or as CutLER released it"
        add("--flavour F", flavour, choices=("paper", "released"), default="paper")
        add("--blocks", "leave masks as blocks of patches, without CRF", action="store_true")

    label_boxes.register(ways)

    add = add_command(ways, "points", points)
    add("clicks CLICKS", "a json of clicks, see evis.data.clicks", type=Path)
    add("videos VIDEOS", common.VIDEOS, type=Path)
    common.add_common(add)
    weights = (
        "a model of objects of any class, whose tracks are the proposals; what evis trained on "
        "masks or boxes of videos is refused, for other files you answer"
    )
    add("--weights W", weights, type=Path, required=True)
    add("--proposals N", "tracks a video to choose from", type=count, default=100)
    score = "what decides where clicks don't: how sure masks are of their pixels, or the model"
    add("--score S", score, choices=("maskness", "confidence"), default="maskness")
    add("--per-frame", "match each frame for itself (PointVIS PF)", action="store_true")


def none(options: argparse.Namespace) -> None:
    """Find objects by MaskCut, frame by frame, with no label of any kind.

    All are of the class "object", or, with --names, of the class that CLIP calls them; what it is
    unsure of, and what is unlike the others of its class, goes (UVIS, without a detector's scores).
    Masks of neighbouring frames that overlap are one track. Started again, it skips the videos that
    are done.

    examples:
      evis label none cat.mp4 --out cat.json --overlay mp4
      evis label none videos/ --out labels.json --features dino_vits16/ --jobs 4
      evis label none videos/ --out labels.json --names person,dog --clip clip-vit-base-patch32/
    """
    if options.names is not None:
        common.write(options, _named(options))
        return
    for name in ("clip", "name_from", "prototype_from"):
        if getattr(options, name) != options.parser.get_default(name):
            options.parser.error(f"--{name.replace('_', '-')} goes with --names")
    common.write(options, common.made(options, _cuts(options, None)))


def _named(options: argparse.Namespace):
    """What is cut out, under names, and how many masks each filter leaves."""
    from dataclasses import replace

    from evis.data import predictions
    from evis.labels import looks, names, naming, videos

    namer = looks.Looks(options.clip, chosen_device(options.device))
    namer.texts([category.name for category in names.categories(options.names)])  # soon, if it errs
    least = naming.OF_TOY_CLIP if options.clip == looks.TOY_CLIP else naming.OF_CLIP
    asked = {"name": options.name_from, "prototype": options.prototype_from}
    least = replace(least, **{name: own for name, own in asked.items() if own is not None})
    placed = common.placed(options)
    cut = videos.make(placed, _cuts(options, None), common.parts(options), options.jobs)
    categories = names.categories(options.names, placed.categories)
    masks, unnamed = predictions.from_dataset(cut), replace(cut.bare(), categories=categories)
    how = {"folder": common.parts(options) / "names", "jobs": options.jobs}
    instances = naming.named(unnamed, masks, namer, **how)
    left = {name: int(stays.sum()) for name, stays in instances.stay(least).items()}
    by = Path(options.clip).name
    print(
        f"{left['found']} masks, named by {by}; its probability is {least.name:g} or more for "
        f"{left['name']}, of which {left['prototype']} are like others of their class"
    )
    if len(categories) == 1:
        print(f"One name: all that was found is called {categories[0].name}, for sure")
    origin = f"names by {by} from {least.name:g}, prototypes from {least.prototype:g}"
    return naming.label(unnamed, masks, instances, f"{origin}, from {cut.origin}", least)


def motion(options: argparse.Namespace) -> None:
    """Find objects by FlowCut: MaskCut of appearance and optical flow.

    examples:
      evis label motion bikes.mp4 --out bikes.json
      evis label motion videos/ --out pairs.json --alpha 0.3 --pairs
      evis label motion videos/ --out m.json --features dino_vitb8/ --size 480 --flow raft.pth
    """
    from evis.data.errors import DataError
    from evis.labels import curate

    labelled = common.made(options, _cuts(options, options.alpha))
    if options.pairs:
        labelled, counts = curate.pairs(labelled)
        if not labelled.videos:
            problem = "no two frames have masks that agree, so that there are no pairs"
            raise DataError(problem, file=options.videos, remedy="Try another --alpha or --tau")
        for one in counts:
            kept = f"{one.kept_pairs} of {one.pairs} pairs, {one.kept} instances kept"
            print(f"{one.gap} frames apart: {kept}, {one.dropped} dropped")
    common.write(options, labelled)


def points(options: argparse.Namespace) -> None:
    """Give each clicked object one of a model's masks (PointVIS's matcher).

    First of a model that sees stills frame by frame, and tracks are told apart by maskness; then,
    as the paper's self-training has it, of what was trained on these labels, by its confidence.
    Models see frame by frame, and their queries are linked (MinVIS, as in PointVIS's Eq. 1).

    examples:
      evis label points clicks.json walk.mp4 --weights stage1.safetensors --out labels.json
      evis label points c.json v.mp4 --weights mine.safetensors --score confidence --out l.json
    """
    from dataclasses import replace

    from evis.data import clicks
    from evis.inference import Options, predict_dataset
    from evis.labels import points as matcher
    from evis.labels import taught_by

    dataset = common.placed(options)
    clicked = clicks.read(options.clicks, dataset)
    taught_by.check(options.weights, clicked.supervision)
    proposals = predict_dataset(
        options.weights,
        replace(dataset.bare(), categories=()),
        Options(window=1, top=options.proposals, class_agnostic=True, score=options.score),
        options.jobs,
        common.parts(options),
        chosen_device(options.device),
    )
    origin = f"proposals of {options.weights.name} by clicks and {options.score}"
    common.write(options, matcher.label(clicked, proposals, origin, options.per_frame))


def _cuts(options: argparse.Namespace, alpha: float | None):
    from evis.labels import videos

    if options.size is not None and options.features in ("colour", "toy_dino"):
        options.parser.error("--size goes with --features a DINO's")
    how = {"size": options.size, "device": chosen_device(options.device)}
    how |= {} if alpha is None else {"flow": options.flow}
    cut = options.tau, options.count, options.flavour, not options.blocks
    return videos.Cuts(options.features, alpha, *cut, **how)
