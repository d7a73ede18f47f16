"""`evis predict` and `evis evaluate`."""

import argparse
import json
from contextlib import suppress
from pathlib import Path

from evis.cli.arguments import (
    add_command,
    chosen_device,
    count,
    is_one_file,
    processes,
    share,
    whole,
)

SHOWN = 20  # lines of the table that are printed


def register(commands) -> None:
    add = add_command(commands, "predict", predict)
    kinds = "a folder of frames, a video file, an annotation json or a known data set's folder"
    add("video VIDEO", kinds, type=Path)
    weights = "the model's file, or its folder in Hugging Face's Mask2Former format"
    add("--weights W", weights, type=Path, required=True)
    add("--out DIR", "where to write", type=Path, required=True)
    add("--split NAME", "which split of a data set, if its folder holds several")
    add("--frames DIR", "the frames of a json, where they are not beside it", type=Path)
    window = "frames that the model sees at once; auto: as many as memory allows"
    add("--window N|auto|all", window, type=whole(1, "auto", "all"), default="auto")
    add("--frame-wise", "frame by frame, as MinVIS: --window 1", action="store_true")
    overlap = "frames shared by two windows; auto: N // 4 where --window gives N, else none"
    add("--overlap M|auto", overlap, type=whole(0, "auto"), default="auto")
    join = "windows become one video by the model's queries, or by the masks on shared frames"
    add("--join", join, choices=("queries", "masks"), default="queries")
    tracker = (
        "minvis (auto): by the queries of the frame or window before; memory: of all before, as "
        "UVIS; memory-weighted: of these, the surer ones more; deepsort: by place and looks; idol, "
        "idol-ovis: IDOL's own (its auto)"
    )
    trackers = ("auto", "minvis", "memory", "memory-weighted", "deepsort", "idol", "idol-ovis")
    add("--tracker", tracker, choices=trackers, default="auto")
    side = "what frames are resized to for the model; auto: what its weights were trained at"
    add("--shorter-side PIXELS|auto|native", side, type=whole(1, "auto", "native"), default="auto")
    add("--top N", "tracks a video", type=count, default=10)
    add("--class-agnostic", "score objects whatever their class", action="store_true")
    precision = "what the network computes in; auto: bfloat16 on CUDA, else float32"
    add("--precision", precision, choices=("auto", "float32", "bfloat16"), default="auto")
    threshold = "least score in overlays and table; results.json holds all"
    add("--threshold S", threshold, type=share, default=0.3)
    add("--overlay", "the video under its tracks", choices=("mp4", "gif", "none"), default="mp4")
    add("--jobs N", "videos at a time", type=processes, default=1)
    add("--device", "where to compute", choices=("auto", "cpu", "cuda"), default="auto")

    add = add_command(commands, "evaluate", evaluate)
    add("results RESULTS", "json, or zip for a server; or made labels, json", type=Path)
    annotations = "YouTube-VIS or COCO annotations, with masks or boxes"
    add("--annotations JSON", annotations, type=Path, required=True)
    add("--class-agnostic", "ignore the categories", action="store_true")
    add("--per-class", "a line a category too", action="store_true")
    add("--json OUT", "write the scores there too", type=Path)


def predict(options: argparse.Namespace) -> None:
    """Find and follow the objects in a video, or in every video of a data set.

    Writes results.json (YouTube-VIS layout), tracks.csv and overlays to DIR. Started again, it
    skips the videos that are done.

    examples:
      evis predict clip.mp4 --weights model.safetensors --out out
      evis predict frames/ --weights model.pth --out out --window 24 --overlap 6
      evis predict frames/ --weights mask2former-swin-tiny-coco/ --out out --tracker memory
      evis predict /data/ytvis19 --split valid --weights model.pth --out out --jobs 4
    """
    from evis.inference import Options, run

    for name in (run.RESULTS, run.TRACKS, run.MADE_BY):
        written = options.out / name
        if is_one_file(written, options.video) or is_one_file(written, options.weights):
            options.parser.error(f"{written} would be written over: give another --out")
    if options.frame_wise and options.window != "auto":
        options.parser.error("--frame-wise is --window 1: give one of them")
    window = 1 if options.frame_wise else {"all": None}.get(options.window, options.window)
    overlap = options.overlap
    if overlap == "auto":
        overlap = window // 4 if isinstance(window, int) else 0
    try:
        chosen = Options(
            window,
            overlap,
            options.join,
            {"native": None}.get(options.shorter_side, options.shorter_side),
            top=options.top,
            class_agnostic=options.class_agnostic,
            precision=options.precision,
            tracker=options.tracker,
        )
    except ValueError as error:
        options.parser.error(str(error))
    tracks = run.predict_and_write(
        run.open_source(options.video, options.split, options.frames),
        options.weights,
        options.out,
        chosen,
        options.threshold,
        None if options.overlay == "none" else options.overlay,
        options.jobs,
        chosen_device(options.device),
    )
    print(_listing(tracks, options.threshold), f"All of it is in {options.out}", sep="\n")


def _listing(tracks, threshold: float) -> str:
    if tracks.empty:
        return f"No track scores {threshold} or more; --threshold 0 shows all."
    columns = ["video", "track", "category", "score", "first_frame", "last_frame"]
    shown = tracks[[*columns, "frames_visible", "longest_gap", "mean_area"]].head(SHOWN)
    formats = {"score": "{:.3f}".format, "mean_area": "{:.0f}".format}
    more = len(tracks) - SHOWN
    return shown.to_string(index=False, formatters=formats) + f"\n... and {more} more" * (more > 0)


def evaluate(options: argparse.Namespace) -> None:
    """Score predicted tracks against annotations, with the official evaluator's numbers.

    Where the annotations hold boxes only, the boxes around the predicted masks are scored. Made
    labels, as `evis label` writes them for the json's own videos, are predictions of score 1; their
    classes are told by name.

    examples:
      evis evaluate out/results.json --annotations valid.json
      evis evaluate labels.json --annotations train.json --class-agnostic
      evis evaluate results.zip --annotations valid.json --per-class --json scores.json
    """
    from evis.data import annotations, files
    from evis.metrics import ytvis

    out, given = options.json, (options.results, options.annotations)
    if out and any(is_one_file(out, one) for one in given):
        options.parser.error(f"--json {out} would replace what it scores: name another file")
    truth = annotations.read(options.annotations)
    by = "boxes" if truth.kinds == {"boxes"} else "masks"
    results = annotations.read(options.results) if _are_labels(options.results) else options.results
    scores = ytvis.evaluate(truth, results, options.class_agnostic, by=by)
    if by == "boxes":
        print("The annotations hold no masks: IoU is of boxes, around the predicted masks.")
    tables = [scores.table(), *[scores.per_class()] * options.per_class]
    numbers = ["value", "AP", "AP50", "AP75", "AR1", "AR10", "AR100"]
    percent = dict.fromkeys(numbers, lambda fraction: f"{100 * fraction:.1f}")
    shown = [table.to_string(index=False, na_rep="-", formatters=percent) for table in tables]
    print("\n\n".join(shown))
    if options.json is not None:
        content = {"iou": by, "stats": _json(scores.stats)}
        if options.per_class:
            content["per_class"] = [_json(row) for row in tables[1].to_dict("records")]
        files.write_json(options.json, content, indent=1)


def _are_labels(results: Path) -> bool:
    """Results are one list, labels an object; what can't be opened is for who reads it."""
    from evis.data import files

    with suppress(OSError), files.regular(results).open("rb") as stream:
        head = stream.read(256)
        # A byte-order mark is no error: the encoding that it stands for leaves it out.
        return head.decode(json.detect_encoding(head), "ignore").lstrip()[:1] == "{"
    return False


def _json(numbers: dict) -> dict:
    """json has no NaN, which stands where there is no object to find: null."""
    return {name: None if value != value else value for name, value in numbers.items()}
