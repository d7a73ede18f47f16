"""A whole run of `evis predict`: from a source and weights to files on disk."""

import hashlib
import os
import re
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

import evis
from evis.data import files, own, predictions
from evis.data.errors import DataError
from evis.data.frames import VideoFile
from evis.data.types import VISDataset
from evis.data.video import Films
from evis.inference import overlay
from evis.inference import weights as weight_files
from evis.inference.datasets import fitted_to, predict_dataset
from evis.inference.options import Options
from evis.inference.table import table
from evis.inference.video_writer import ENCODERS
from evis.models.allocator import share_one_heap

RESULTS, TRACKS, MADE_BY, PARTS = "results.json", "tracks.csv", "made_by.json", "videos"
OVERLAY, OVERLAYS = "overlay", "overlays"
LONGEST_NAME = 200  # bytes; of 255 that file systems take, for a hash, an ending, a temporary name


def open_source(
    path: str | Path, split: str | None = None, frames_root: str | Path | None = None
) -> VISDataset:
    """The videos at `path`, as `evis.data.own.find` has them, without annotations."""
    return own.find(path, split, frames_root).bare()


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

    What an earlier run wrote there, but for videos/, is removed before the first video. Films that
    lie where such files go are refused, and stay.
    """
    share_one_heap()
    folder = Path(folder)
    fitted = fitted_to(weight_files.load(weights, device), dataset, options)
    dataset = weight_files.with_classes(dataset, weights, options.class_agnostic)
    (folder / PARTS).mkdir(parents=True, exist_ok=True)  # where nothing can be written, say so now
    if overlays:
        overlay.check(dataset, overlays)
    _remove_earlier(folder, dataset)
    made_by = {
        "evis": evis.__version__,
        "weights": {"file": str(weights), "sha256": weight_files.digest(weights)},
        "device": device,
        "videos": [{"video": v.name, **asdict(fitted[v.id])} for v in dataset.videos],
    }
    tracks = predict_dataset(weights, dataset, fitted, jobs, folder / PARTS, device)
    files.write_json(folder / MADE_BY, made_by, indent=1)
    predictions.write(tracks, folder / RESULTS)
    listed = table(tracks, dataset, threshold)
    files.write_text(folder / TRACKS, listed.to_csv(index=False, float_format="%.4f"))
    for video in tqdm(dataset.videos, "overlays", unit="video") if overlays else ():
        name = OVERLAY if len(dataset.videos) == 1 else f"{OVERLAYS}/{file_name(video.name)}"
        overlay.write(folder / f"{name}.{overlays}", dataset, video.id, tracks, threshold)
    return listed


def _remove_earlier(folder: Path, dataset: VISDataset) -> None:
    """Nothing of an earlier run stands beside, or in place of, what this one writes.

    A run writes made_by.json before the other files, and it is removed after them: where there is
    none, they are not evis's.
    """
    drawn = [f"{place}{kind}" for place in (OVERLAY, f"{OVERLAYS}/*") for kind in ENCODERS]
    found = [path for name in (RESULTS, TRACKS, *drawn, MADE_BY) for path in folder.glob(name)]
    reader = dataset.read_frame
    films = reader.films.values() if isinstance(reader, Films) else [reader]
    read = {os.path.realpath(film.path) for film in films if isinstance(film, VideoFile)}
    for path in found:
        if os.path.realpath(path) in read:
            problem = "is to be predicted, and lies where this run's own files go"
            raise DataError(problem, file=path, remedy="Give another folder (--out)")
    for path in found if (folder / MADE_BY).exists() else ():
        path.unlink()


def file_name(video: str) -> str:
    """The video's name as a file's, another one for each: odd characters become % and a number, and
    the end of what is too long becomes a hash of the whole."""
    name = re.sub(r"[^\w.-]", lambda odd: f"%{ord(odd[0]):02X}", video)
    written = name.encode()
    if len(written) <= LONGEST_NAME:
        return name
    kept = written[:LONGEST_NAME].decode(errors="ignore")
    return f"{kept}-{hashlib.sha256(written).hexdigest()[:16]}"
