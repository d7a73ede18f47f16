"""`evis label`: pseudo labels for videos, from nothing, motion, boxes or clicks."""

import argparse
from pathlib import Path

from evis.cli.arguments import add_command, chosen_device, count, processes, share

PREDICTIONS = 20  # a video's, from which its boxes take theirs


def register(commands) -> None:
    group = commands.add_parser("label", help="make pseudo labels to train on")
    ways = group.add_subparsers(metavar="COMMAND", required=True)
    videos = (
        "a folder of frames, a video file, a folder of several of these, a data set's folder or "
        "its annotation json"
    )

    for name, function in (("none", none), ("motion", motion)):
        add = add_command(ways, name, function, {"none": "maskcut", "motion": "flowcut"}[name])
        add("videos VIDEOS", videos, type=Path)
        _common(add)
        features = (
            "what patches are told by: colour, toy_dino, or a DINO's folder, .pth or name in the "
            "cache"
        )
        add("--features F", features, default="colour")
        if name == "motion":
            alpha = "weight of appearance against motion, which the paper does not state"
            add("--alpha A", alpha, type=share, default=0.5)
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

    add = add_command(ways, "boxes", boxes)
    add("videos SET", "a data set's folder or its annotation json, with boxes", type=Path)
    _common(add)
    by = (
        "grabcut, ellipse, fill, toy_sam (trained on generated pictures), or the folder of a SAM "
        "or SAM-HQ, or its name in the cache"
    )
    kinds = (
        "; or track: masks of single frames carried through the video; or best: of these, those of "
        "--other, and what is carried from where they agree, whichever agrees best (PM-VIS); or "
        "idol: a model's own, which it was trained to make from boxes, by the boxes they fit"
    )
    add("--with W", by + kinds, dest="by", default="grabcut")
    keys = f"with track or best, what makes the masks to start from, with idol, to compare to: {by}"
    add("--keys W", keys, default="grabcut")
    add("--other W", "with best, what makes the second kind, as --keys", default="toy_sam")
    through = "what carries them: colour, or a DINO's or SAM 2's folder or name in the cache"
    add("--through W", f"with track or best, {through}", default="colour")
    every = "one frame to start from in so many, at least one an object (PM-VIS's K)"
    add("--every K", f"with track or best, {every}", type=count, default=10)
    add("--weights W", "with idol, the model's", type=Path)
    device = "with idol, where to compute"
    add("--device", device, choices=("auto", "cpu", "cuda"), default="auto")
    add("--tidy", "no overlaps, nothing out of its box (PM-VIS's DOOB)", action="store_true")

    add = add_command(ways, "points", points)
    add("clicks CLICKS", "a json of clicks, see evis.data.clicks", type=Path)
    add("videos VIDEOS", videos, type=Path)
    _common(add)
    weights = "a model of objects of any class, whose tracks are the proposals"
    add("--weights W", weights, type=Path, required=True)
    add("--proposals N", "tracks a video to choose from", type=count, default=100)
    score = "what decides where clicks don't: how sure masks are of their pixels, or the model"
    add("--score S", score, choices=("maskness", "confidence"), default="maskness")
    add("--per-frame", "match each frame for itself (PointVIS PF)", action="store_true")
    add("--device", "where to compute", choices=("auto", "cpu", "cuda"), default="auto")


def _common(add) -> None:
    add("--out JSON", "the labels, in the layout of YouTube-VIS", type=Path, required=True)
    add("--split NAME", "which split of a data set, if its folder holds several")
    add("--frames DIR", "the frames of a json, where they are not beside it", type=Path)
    add("--overlay", "the videos under labels", choices=("mp4", "gif", "none"), default="none")
    add("--jobs N", "videos at a time", type=processes, default=1)


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
        _write(options, _named(options))
        return
    for name in ("clip", "name_from", "prototype_from"):
        if getattr(options, name) != options.parser.get_default(name):
            options.parser.error(f"--{name.replace('_', '-')} goes with --names")
    _make(options, _cuts(options, None))


def _named(options: argparse.Namespace):
    """What is cut out, under names, and how many masks each filter leaves."""
    from dataclasses import replace

    from evis.data import predictions
    from evis.labels import looks, names, naming, videos

    namer = looks.Looks(options.clip)
    namer.texts([category.name for category in names.categories(options.names)])  # soon, if it errs
    least = naming.OF_TOY_CLIP if options.clip == looks.TOY_CLIP else naming.OF_CLIP
    asked = {"name": options.name_from, "prototype": options.prototype_from}
    least = replace(least, **{name: own for name, own in asked.items() if own is not None})
    placed = _placed(options)
    cut = videos.make(placed, _cuts(options, None), _parts(options), options.jobs)
    categories = names.categories(options.names, placed.categories)
    masks, unnamed = predictions.from_dataset(cut), replace(cut.bare(), categories=categories)
    how = {"folder": _parts(options) / "names", "jobs": options.jobs}
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
    """
    from evis.data.errors import DataError
    from evis.labels import curate

    labelled = _labelled(options, _cuts(options, options.alpha))
    if options.pairs:
        labelled, counts = curate.pairs(labelled)
        if not labelled.videos:
            problem = "no two frames have masks that agree, so that there are no pairs"
            raise DataError(problem, file=options.videos, remedy="Try another --alpha or --tau")
        for one in counts:
            kept = f"{one.kept_pairs} of {one.pairs} pairs, {one.kept} instances kept"
            print(f"{one.gap} frames apart: {kept}, {one.dropped} dropped")
    _write(options, labelled)


def boxes(options: argparse.Namespace) -> None:
    """Turn boxes into masks; annotated masks are not read.

    examples:
      evis label boxes boxes.json --frames cats/ --out masks.json
      evis label boxes /data/ytvis19 --split train --with sam-hq-vit-base/ --tidy --out m.json
      evis label boxes /data/ovis --with track --keys sam-hq/ --through sam2/ --out m.json
      evis label boxes boxes.json --with best --other sam-vit-base/ --out m.json
      evis label boxes boxes.json --with idol --weights boxinst.safetensors --out m.json
    """
    from evis.labels import videos
    from evis.labels.best import Best

    ways = {
        "track": (videos.Tracked, ("keys", "through", "every")),
        "best": (Best, ("keys", "other", "through", "every")),
        "idol": (videos.Boxes, ("keys", "weights", "device")),
    }
    way, names = ways.get(options.by, (videos.Boxes, ()))
    for name in ("keys", "other", "through", "every", "weights", "device"):
        if name not in names and getattr(options, name) != options.parser.get_default(name):
            fits = " or ".join(by for by, (_, own) in ways.items() if name in own)
            options.parser.error(f"--{name} goes with --with {fits}")
    if options.by == "idol":
        _predicted(options, videos.Boxes(options.keys, tidy=True))
        return
    given = [getattr(options, name) for name in names] or [options.by]
    _make(options, way(*given, options.tidy))


def _predicted(options: argparse.Namespace, prompted) -> None:
    """Masks of a model that was trained from boxes, given to these boxes by SCM."""
    from dataclasses import replace

    from evis.inference import Options, predict_dataset
    from evis.labels import assigned, select, videos

    if options.weights is None:
        options.parser.error("--with idol needs --weights")
    boxes, parts = prompted.seen(_placed(options)), _parts(options)
    known = videos.make(boxes, prompted, parts / "keys", options.jobs)
    found = predict_dataset(
        options.weights,
        replace(boxes.bare(), categories=()),
        Options(top=PREDICTIONS, class_agnostic=True),
        options.jobs,
        parts / "predicted",
        chosen_device(options.device),
    )
    origin = f"predictions of {options.weights.name}"
    labelled = assigned.by_scm(boxes, known, found, origin)
    _write(options, select.tidied(labelled) if options.tidy else labelled)


def points(options: argparse.Namespace) -> None:
    """Give each clicked object one of a model's masks (PointVIS's matcher).

    First of a model that sees stills frame by frame, and tracks are told apart by maskness; then,
    as the paper's self-training has it, of what was trained on these labels, by its confidence.

    examples:
      evis label points clicks.json walk.mp4 --weights stage1.safetensors --out labels.json
      evis label points c.json v.mp4 --weights mine.safetensors --score confidence --out l.json
    """
    from dataclasses import replace

    from evis.data import clicks
    from evis.inference import Options, predict_dataset
    from evis.labels import points as matcher

    dataset = _placed(options)
    clicked = clicks.read(options.clicks, dataset)
    proposals = predict_dataset(
        options.weights,
        replace(dataset.bare(), categories=()),
        Options(top=options.proposals, class_agnostic=True, score=options.score),
        options.jobs,
        _parts(options),
        chosen_device(options.device),
    )
    origin = f"proposals of {options.weights.name} by clicks and {options.score}"
    _write(options, matcher.label(clicked, proposals, origin, options.per_frame))


def _cuts(options: argparse.Namespace, alpha: float | None):
    from evis.labels import videos

    how = options.tau, options.count, options.flavour, not options.blocks
    return videos.Cuts(options.features, alpha, *how)


def _placed(options: argparse.Namespace):
    """The videos with frames that the labels can name, beside these if they have to be written."""
    from evis.data import own, video

    found = own.find(options.videos, options.split, options.frames)
    return video.as_pictures(found, options.out.parent / "frames")


def _parts(options: argparse.Namespace) -> Path:
    return options.out.with_name(f"{options.out.name}.parts")


def _make(options: argparse.Namespace, labeller) -> None:
    _write(options, _labelled(options, labeller))


def _labelled(options: argparse.Namespace, labeller):
    from evis.labels import videos

    return videos.make(_placed(options), labeller, _parts(options), options.jobs)


def _write(options: argparse.Namespace, labelled) -> None:
    """The labels, whole, then overlays of them; and what can be done with them."""
    from tqdm.auto import tqdm

    from evis.data import annotations, predictions
    from evis.inference import overlay
    from evis.inference.run import file_name

    stills = all(video.length == 1 for video in labelled.videos)
    annotations.write(labelled, options.out, "coco" if stills else "ytvis")
    tracks = predictions.from_dataset(labelled)
    folder = options.out.with_name(f"{options.out.stem}_overlays")
    drawn = labelled.videos if options.overlay != "none" else ()
    for video in tqdm(drawn, "overlays", unit="video", disable=not drawn):
        path = folder / f"{file_name(video.name)}.{options.overlay}"
        overlay.write(path, labelled, video.id, tracks)
    objects = f"{len(labelled.tracks)} objects in {len(labelled.videos)} videos"
    print(f"{objects}: {options.out}, whose frames are in {labelled.read_frame.root}")
