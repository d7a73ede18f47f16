"""What the ways of `evis label` share: their arguments, and from videos to a file of labels."""

import argparse
from pathlib import Path

from evis.cli.arguments import is_one_file, processes, whole

LARGEST = 8192  # pixels of a side that frames are resized to
VIDEOS = (
    "a folder of frames, a video file, a folder of several of these, an annotation json or a known "
    "data set's folder"
)


def add_common(add) -> None:
    add("--out JSON", "the labels, in the layout of YouTube-VIS", type=Path, required=True)
    add("--split NAME", "which split of a data set, if its folder holds several")
    add("--frames DIR", "the frames of a json, where they are not beside it", type=Path)
    add("--overlay", "the videos under labels", choices=("mp4", "gif", "none"), default="none")
    add("--jobs N", "videos at a time", type=processes, default=1)
    device = "where networks compute; it changes no label that is there already"
    add("--device", device, choices=("auto", "cpu", "cuda"), default="auto")


def add_size(add, of: str) -> None:
    size = "pixels that a frame's longer side is resized to for it; default: the frame's own"
    add("--size PIXELS", f"with {of} a DINO's, {size}", type=whole(1, most=LARGEST))


def placed(options: argparse.Namespace):
    """The videos with frames that the labels can name, beside these if they have to be written."""
    from evis.data import files, own, video

    _check_out(options)
    found = own.find(options.videos, options.split, options.frames)
    if options.overlay != "none":
        from evis.inference import overlay

        overlay.check(found, options.overlay)
    # Under its own name, whose length counts: where it can't be written, say so now.
    files.write_bytes(parts(options) / options.out.name, b"").unlink()
    folder = options.out.parent / "frames"
    if folder.exists() and folder.samefile(options.videos):
        # frames among the films are films found twice
        folder = options.out.parent / "images"
    return video.as_pictures(found, folder)


def _check_out(options: argparse.Namespace) -> None:
    """Whether labels can be written there, before the hours of work; the user's own files stay."""
    from evis.data import files

    out = files.regular(options.out)
    if not out.name or out.is_dir():
        options.parser.error(f"--out {out} is a folder: name a json file")
    for name, given in vars(options).items():
        if name != "out" and isinstance(given, str | Path) and is_one_file(out, given):
            options.parser.error(f"--out {out} would replace what it labels: name another file")
    drawn = overlays(options)
    if is_one_file(drawn, options.videos) or is_one_file(drawn, options.videos.parent):
        options.parser.error(f"--out {out} would have overlays replace {options.videos}")


def parts(options: argparse.Namespace) -> Path:
    return options.out.with_name(f"{options.out.name}.parts")


def overlays(options: argparse.Namespace) -> Path:
    return options.out.with_name(f"{options.out.stem}_overlays")


def made(options: argparse.Namespace, labeller):
    from evis.labels import videos

    return videos.make(placed(options), labeller, parts(options), options.jobs)


def write(options: argparse.Namespace, labelled) -> None:
    """The labels, whole, then overlays of them; and what can be done with them."""
    from tqdm.auto import tqdm

    from evis.data import annotations, predictions
    from evis.inference import overlay
    from evis.inference.run import file_name
    from evis.inference.video_writer import ENCODERS

    stills = labelled.are_stills and "points" not in labelled.kinds  # COCO has no place for them
    annotations.write(labelled, options.out, "coco" if stills else "ytvis")
    tracks = predictions.from_dataset(labelled)
    folder = overlays(options)
    for video in labelled.videos:  # overlays of an earlier run: they may show other labels
        for kind in ENCODERS:
            (folder / f"{file_name(video.name)}{kind}").unlink(missing_ok=True)
    drawn = labelled.videos if options.overlay != "none" else ()
    for video in tqdm(drawn, "overlays", unit="video", disable=not drawn):
        path = folder / f"{file_name(video.name)}.{options.overlay}"
        overlay.write(path, labelled, video.id, tracks)
    objects = f"{len(labelled.tracks)} objects in {len(labelled.videos)} videos"
    print(f"{objects}: {options.out}, whose frames are in {labelled.read_frame.root}")
