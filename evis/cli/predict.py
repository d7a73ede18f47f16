"""`evis predict` and `evis evaluate`."""

import argparse
from pathlib import Path

from evis.cli.arguments import add_command, count


def add(commands) -> None:
    _add_predict(commands)
    _add_evaluate(commands)


def _add_predict(commands) -> None:
    parser = add_command(
        commands,
        "predict",
        _predict,
        help="find and follow the objects in videos",
        description="Find and follow the objects in a video, or in every video of a data set.\n"
        "Writes results.json (YouTube-VIS layout), tracks.csv and overlays to DIR. Started again,\n"
        "it skips the videos that are done.",
        examples="  evis predict clip.mp4 --weights model.safetensors --out out\n"
        "  evis predict frames/ --weights model.pth --out out --window 24 --overlap 6\n"
        "  evis predict /data/ytvis19 --split valid --weights model.pth --out out --jobs 4",
    )
    parser.add_argument(
        "video",
        type=Path,
        metavar="VIDEO",
        help="a folder of frames, a video file, a data set's folder or its annotation json",
    )
    parser.add_argument("--weights", type=Path, required=True, metavar="W", help="the model's file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument(
        "--split", metavar="NAME", help="which split of a data set, if its folder holds several"
    )
    parser.add_argument(
        "--frames", type=Path, metavar="DIR", help="the frames of an annotation json"
    )
    at_once = parser.add_mutually_exclusive_group()
    at_once.add_argument(
        "--window",
        type=count,
        metavar="N",
        help="frames that the model sees at once; default: all. Memory grows with it, "
        "not with the video",
    )
    at_once.add_argument(
        "--frame-wise", action="store_true", help="frame by frame, as MinVIS: --window 1"
    )
    parser.add_argument(
        "--overlap", type=int, metavar="M", help="frames shared by two windows; default: N // 4"
    )
    parser.add_argument(
        "--join",
        choices=("queries", "masks"),
        default="queries",
        help="what tells which object of the next window is which: the model's queries (the "
        "default) or the masks on shared frames",
    )
    parser.add_argument(
        "--shorter-side",
        type=_side,
        default="auto",
        metavar="PIXELS",
        help="what frames are resized to for the model, or `native`; default: auto, which is 360, "
        "and native for the toy models",
    )
    parser.add_argument(
        "--top", type=count, default=10, metavar="N", help="tracks a video; default: 10"
    )
    parser.add_argument(
        "--class-agnostic", action="store_true", help="score objects whatever their class"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.3,
        metavar="S",
        help="least score in overlays and table; default: 0.3. results.json holds all",
    )
    parser.add_argument(
        "--overlay", choices=("mp4", "gif", "none"), default="mp4", help="default: mp4"
    )
    parser.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="videos at a time; default: 1"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto"
    )
    parser.set_defaults(usage_error=parser.error)


def _side(text: str) -> int | str:
    return text if text in ("auto", "native") else count(text)


def _add_evaluate(commands) -> None:
    parser = add_command(
        commands,
        "evaluate",
        _evaluate,
        help="score predicted tracks against annotations",
        description="Score predicted tracks against annotations, with the official evaluator's\n"
        "numbers.",
        examples="  evis evaluate out/results.json --annotations valid.json\n"
        "  evis evaluate results.zip --annotations valid.json --per-class --json scores.json",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="json, or zip for a server")
    parser.add_argument("--annotations", type=Path, required=True, metavar="JSON")
    parser.add_argument("--class-agnostic", action="store_true", help="ignore the categories")
    parser.add_argument("--per-class", action="store_true", help="a line a category too")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the scores there too")


def _predict(options: argparse.Namespace) -> int:
    import torch

    from evis.inference import run, sources, weights

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    model = weights.load(options.weights, device)
    settings = _settings(options, model.config)
    dataset = sources.open_source(options.video, options.split, options.frames)
    dataset = weights.with_classes(
        dataset, weights.class_names(options.weights), model.config.classes
    )
    tracks = run.predict_and_write(
        dataset,
        options.weights,
        options.out,
        settings,
        options.threshold,
        None if options.overlay == "none" else options.overlay,
        options.jobs,
        device,
    )
    print(_listing(tracks, options))
    return 0


def _settings(options: argparse.Namespace, config):
    from evis.inference import Options
    from evis.models.config import Tiny

    window = 1 if options.frame_wise else options.window
    side = options.shorter_side
    if side == "auto":
        side = "native" if isinstance(config.backbone, Tiny) else Options.shorter_side
    try:
        return Options(
            window=window,
            overlap=(window or 0) // 4 if options.overlap is None else options.overlap,
            join=options.join,
            shorter_side=None if side == "native" else side,
            top=options.top,
            class_agnostic=options.class_agnostic,
        )
    except ValueError as error:
        options.usage_error(str(error))


SHOWN = 20  # lines of the table that are printed


def _listing(tracks, options: argparse.Namespace) -> str:
    if tracks.empty:
        text = f"No track scores {options.threshold} or more; --threshold 0 shows all."
    else:
        columns = ["video", "track", "category", "score", "first_frame", "last_frame"]
        shown = tracks[[*columns, "frames_visible", "longest_gap", "mean_area"]].head(SHOWN)
        text = shown.to_string(
            index=False, formatters={"score": "{:.3f}".format, "mean_area": "{:.0f}".format}
        )
        if len(tracks) > SHOWN:
            text += f"\n... and {len(tracks) - SHOWN} more"
    return f"{text}\nAll of it is in {options.out}"


def _evaluate(options: argparse.Namespace) -> int:
    from evis.data import files
    from evis.metrics import ytvis

    found = ytvis.evaluate(options.annotations, options.results, options.class_agnostic)
    print(_percent(found.table(), ["value"]))
    if options.per_class:
        scores = ["AP", "AP50", "AP75", "AR1", "AR10", "AR100"]
        print("", _percent(found.per_class(), scores), sep="\n")
    if options.json is not None:
        content = {"stats": found.stats}
        if options.per_class:
            content["per_class"] = found.per_class().to_dict("records")
        files.write_json(options.json, _without_nan(content), indent=1)
    return 0


def _percent(table, scores: list[str]) -> str:
    """Fractions as percentages; a dash where there is no object to find."""
    return table.to_string(
        index=False, na_rep="-", formatters=dict.fromkeys(scores, lambda x: f"{100 * x:.1f}")
    )


def _without_nan(value):
    """json has no NaN: null."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if value != value else value
