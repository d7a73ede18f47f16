"""`evis predict` and `evis evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

from evis.cli.arguments import Count, UsageError, whole

SHOWN = 20  # lines of the table that are printed


def predict(
    video: Path,
    *,
    weights: Path,
    out: Path,
    split: str | None = None,
    frames: Path | None = None,
    window: Annotated[int | str, whole(1, "auto", "all")] = "auto",
    frame_wise: bool = False,
    overlap: Annotated[int | str, whole(0, "auto")] = "auto",
    join: Literal["queries", "masks"] = "queries",
    shorter_side: Annotated[int | str, whole(1, "auto", "native")] = "auto",
    top: Count = 10,
    class_agnostic: bool = False,
    threshold: float = 0.3,
    overlay: Literal["mp4", "gif", "none"] = "mp4",
    jobs: Count = 1,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> None:
    """Find and follow the objects in a video, or in every video of a data set.

    Writes results.json (YouTube-VIS layout), tracks.csv and overlays to DIR. Started again, it
    skips the videos that are done.

    video VIDEO: a folder of frames, a video file, a data set's folder or its annotation json
    weights W: the model's file
    out DIR: where to write
    split NAME: which split of a data set, if its folder holds several
    frames DIR: the frames of an annotation json, where they are not beside it
    window N|auto|all: frames that the model sees at once; all: the whole video; auto (the
      default): as many as memory allows
    frame_wise: frame by frame, as MinVIS: --window 1
    overlap M|auto: frames shared by two windows; auto (the default): N // 4
    join: what tells which object of the next window is which: the model's queries (the default) or
      the masks on shared frames
    shorter_side PIXELS: what frames are resized to for the model, or `native`; auto (the default):
      what its weights were trained at
    top N: tracks a video
    class_agnostic: score objects whatever their class
    threshold S: least score in overlays and table; results.json holds all; default: 0.3
    overlay: the video under its tracks
    jobs N: videos at a time
    device: where to compute

    examples:
      evis predict clip.mp4 --weights model.safetensors --out out
      evis predict frames/ --weights model.pth --out out --window 24 --overlap 6
      evis predict /data/ytvis19 --split valid --weights model.pth --out out --jobs 4
    """
    import torch

    from evis.inference import Options, run

    if frame_wise and window != "auto":
        raise UsageError("--frame-wise is --window 1: give one of them")
    window = 1 if frame_wise else {"all": None}.get(window, window)
    if overlap == "auto" and isinstance(window, int):
        overlap = window // 4
    side = {"native": None}.get(shorter_side, shorter_side)
    chosen = {"window": window, "overlap": overlap, "shorter_side": side}
    chosen = {name: value for name, value in chosen.items() if value != "auto"}
    try:
        options = Options(join=join, top=top, class_agnostic=class_agnostic, **chosen)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    dataset = run.open_source(video, split, frames)
    overlays = None if overlay == "none" else overlay
    tracks = run.predict_and_write(
        dataset, weights, out, options, threshold, overlays, jobs, device
    )
    print(_listing(tracks, threshold), f"All of it is in {out}", sep="\n")


def _listing(tracks, threshold: float) -> str:
    if tracks.empty:
        return f"No track scores {threshold} or more; --threshold 0 shows all."
    columns = ["video", "track", "category", "score", "first_frame", "last_frame"]
    shown = tracks[[*columns, "frames_visible", "longest_gap", "mean_area"]].head(SHOWN)
    formats = {"score": "{:.3f}".format, "mean_area": "{:.0f}".format}
    more = len(tracks) - SHOWN
    return shown.to_string(index=False, formatters=formats) + f"\n... and {more} more" * (more > 0)


def evaluate(
    results: Path,
    *,
    annotations: Path,
    class_agnostic: bool = False,
    per_class: bool = False,
    json: Path | None = None,
) -> None:
    """Score predicted tracks against annotations, with the official evaluator's numbers.

    Where the annotations hold boxes only, the boxes around the predicted masks are scored.

    results RESULTS: json, or zip for a server
    annotations JSON: YouTube-VIS or COCO annotations, with masks or boxes
    class_agnostic: ignore the categories
    per_class: a line a category too
    json OUT: write the scores there too

    examples:
      evis evaluate out/results.json --annotations valid.json
      evis evaluate results.zip --annotations valid.json --per-class --json scores.json
    """
    from evis.data import annotations as annotation_files
    from evis.data import files
    from evis.metrics import ytvis

    truth = annotation_files.read(annotations)
    by = "boxes" if truth.kinds == {"boxes"} else "masks"
    scores = ytvis.evaluate(truth, results, class_agnostic, by=by)
    if by == "boxes":
        print("The annotations hold no masks: IoU is of boxes, around the predicted masks.")
    tables = [scores.table(), *[scores.per_class()] * per_class]
    numbers = ["value", "AP", "AP50", "AP75", "AR1", "AR10", "AR100"]
    percent = dict.fromkeys(numbers, lambda fraction: f"{100 * fraction:.1f}")
    shown = [table.to_string(index=False, na_rep="-", formatters=percent) for table in tables]
    print("\n\n".join(shown))
    if json is not None:
        content = {"iou": by, "stats": _json(scores.stats)}
        if per_class:
            content["per_class"] = [_json(row) for row in tables[1].to_dict("records")]
        files.write_json(json, content, indent=1)


def _json(numbers: dict) -> dict:
    """json has no NaN, which stands where there is no object to find: null."""
    return {name: None if value != value else value for name, value in numbers.items()}
