"""A whole run of `evis predict`: from a source and weights to files on disk."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from evis.data import files
from evis.data import predictions as prediction_files
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import overlay
from evis.inference.datasets import predict_dataset
from evis.inference.options import Options
from evis.inference.table import table

RESULTS, TRACKS, PARTS = "results.json", "tracks.csv", "videos"


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
    videos/        a file a video, from which an interrupted run goes on
    """
    folder = Path(folder)
    found = predict_dataset(weights, dataset, options, jobs, folder / PARTS, device)
    prediction_files.write(found, folder / RESULTS)
    tracks = table(found, dataset, threshold)
    files.write_text(folder / TRACKS, tracks.to_csv(index=False, float_format="%.4f"))
    if overlays is not None:
        _write_overlays(folder, dataset, found, threshold, overlays)
    return tracks


def _write_overlays(
    folder: Path,
    dataset: VISDataset,
    found: Sequence[PredictedTrack],
    threshold: float,
    kind: str,
) -> None:
    for video in tqdm(dataset.videos, desc="overlays", unit="video"):
        name = "overlay" if len(dataset.videos) == 1 else f"overlays/{_file_name(video.name)}"
        overlay.write(folder / f"{name}.{kind}", dataset, video.id, found, threshold)


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)
