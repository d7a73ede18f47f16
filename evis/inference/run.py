"""A whole run of `evis predict`: from a source and weights to files on disk."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

import evis
from evis.data import files
from evis.data import predictions as prediction_files
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import overlay
from evis.inference import weights as weight_files
from evis.inference.datasets import fitted_to, predict_dataset
from evis.inference.options import Options
from evis.inference.table import table
from evis.inference.video_writer import ENCODERS

RESULTS, TRACKS, MADE_BY, PARTS = "results.json", "tracks.csv", "made_by.json", "videos"
OVERLAY, OVERLAYS = "overlay", "overlays"


def predict_and_write(
    dataset: VISDataset,
    weights: str | Path,
    folder: str | Path,
    options: Options,
    threshold: float = 0.3,
    overlays: str | None = "mp4",
    jobs: int | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """Predict every video and write, below `folder`:

    results.json   all predictions, in the YouTube-VIS layout
    tracks.csv     a line a track that scores at least `threshold`; it is also what is returned
    overlay.mp4    the video under those tracks (or .gif); for several videos overlays/NAME.mp4
    made_by.json   the weights, and the options for each video: what "auto" came to
    videos/        a file a video, from which an interrupted run goes on

    What an earlier run wrote there, but for videos/, is removed before the first video.
    """
    folder = Path(folder)
    model = weight_files.load(weights, device)
    names = weight_files.class_names(weights)
    dataset = weight_files.with_classes(dataset, names, model.config.classes)
    fitted = fitted_to(model, dataset, options)
    _remove_earlier(folder)
    made_by = {
        "evis": evis.__version__,
        "weights": {"file": str(weights), "sha256": weight_files.digest(weights)},
        "device": device,
        "videos": [{"video": v.name, **asdict(fitted[v.id])} for v in dataset.videos],
    }
    tracks = predict_dataset(weights, dataset, fitted, jobs, folder / PARTS, device)
    prediction_files.write(tracks, folder / RESULTS)
    files.write_json(folder / MADE_BY, made_by, indent=1)
    listed = table(tracks, dataset, threshold)
    files.write_text(folder / TRACKS, listed.to_csv(index=False, float_format="%.4f"))
    if overlays is not None:
        _write_overlays(folder, dataset, tracks, threshold, overlays)
    return listed


def _remove_earlier(folder: Path) -> None:
    """So that nothing of an earlier run stands beside, or in place of, what this one writes."""
    for name in (RESULTS, TRACKS, MADE_BY):
        (folder / name).unlink(missing_ok=True)
    for kind in ENCODERS:
        for path in (folder / f"{OVERLAY}{kind}", *(folder / OVERLAYS).glob(f"*{kind}")):
            path.unlink(missing_ok=True)


def _write_overlays(
    folder: Path,
    dataset: VISDataset,
    tracks: Sequence[PredictedTrack],
    threshold: float,
    kind: str,
) -> None:
    for video in tqdm(dataset.videos, desc="overlays", unit="video"):
        name = OVERLAY if len(dataset.videos) == 1 else f"{OVERLAYS}/{file_name(video.name)}"
        overlay.write(folder / f"{name}.{kind}", dataset, video.id, tracks, threshold)


def file_name(video: str) -> str:
    """The video's name as a file's, another one for each: odd characters become % and a number."""
    return re.sub(r"[^\w.-]", lambda odd: f"%{ord(odd[0]):02X}", video)
