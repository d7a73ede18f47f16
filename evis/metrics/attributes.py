"""What makes a video hard, as Eigen-Cluster's Fig. 6 measures it: box overlap (MBOR), the number
of instances, and SIFT keypoints in the foreground; and the median split that the figure uses.

A crowd region is no instance, so crowd tracks count for none of the three.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from evis.data.boxes import mbor
from evis.data.errors import DataError
from evis.data.types import Box, Track, VISDataset


def mbor_by_video(dataset: VISDataset) -> pd.Series:
    """MBOR a video, by video id."""
    return _by_video({video.id: mbor(_boxes(dataset, video.id)) for video in dataset.videos})


def dataset_mbor(dataset: VISDataset) -> float:
    """The mean of the videos' MBOR."""
    return float(mbor_by_video(dataset).mean())


def instance_count(dataset: VISDataset) -> pd.Series:
    """Tracks a video, by video id."""
    return _by_video({video.id: len(_instances(dataset, video.id)) for video in dataset.videos})


def foreground_keypoints(dataset: VISDataset, progress: bool = True) -> pd.Series:
    """SIFT keypoints inside any object's mask, the mean over all frames of a video, by video id.

    Keypoints are found in the whole grey picture (OpenCV's settings) and then kept if they lie on
    an object. A place with several dominant directions counts once for each, as SIFT lists it.
    """
    sift = cv2.SIFT_create()
    total = sum(video.length for video in dataset.videos)
    means = {}
    with tqdm(total=total, desc="keypoints", unit="frame", disable=not progress) as bar:
        for video in dataset.videos:
            counts = []
            for frame in range(video.length):
                counts.append(_count_keypoints(sift, dataset, video.id, frame))
                bar.update()
            means[video.id] = float(np.mean(counts))
    return _by_video(means)


def table(dataset: VISDataset, progress: bool = True) -> pd.DataFrame:
    """One row a video: `video` (its id), `instances`, `mbor`, `keypoints`."""
    columns = {
        "instances": instance_count(dataset),
        "mbor": mbor_by_video(dataset),
        "keypoints": foreground_keypoints(dataset, progress),
    }
    return pd.DataFrame(columns).reset_index()


def median_split(values: Sequence[float] | pd.Series) -> pd.Series:
    """ "low" or "high" a value, on either side of the median of all (Fig. 6).

    Values equal to the median stay together, on the side that makes the halves most even, and on
    the low side if both do.
    """
    values = pd.Series(values, dtype=float)
    if values.empty or values.isna().any():
        raise DataError("a median split needs numbers, without gaps", field="values")
    median = values.median()
    below, above = (values < median).sum(), (values > median).sum()
    high = values >= median if below > above else values > median
    return high.map({False: "low", True: "high"})


def _instances(dataset: VISDataset, video_id: int) -> list[Track]:
    if not dataset.kinds:
        raise DataError("the data set has no annotations", field="supervision")
    return [track for track in dataset.tracks_of(video_id) if not track.is_crowd]


def _boxes(dataset: VISDataset, video_id: int) -> list[list[Box | None]]:
    """Boxes a frame."""
    tracks = _instances(dataset, video_id)
    for track in tracks:
        if track.boxes is None:
            raise DataError(
                f"track {track.id} carries no boxes",
                video=dataset.video(video_id).name,
                remedy='MBOR needs the supervision "mask" or "box"',
            )
    return [[track.boxes[t] for track in tracks] for t in range(dataset.video(video_id).length)]


def _count_keypoints(sift: cv2.SIFT, dataset: VISDataset, video_id: int, frame: int) -> int:
    video = dataset.video(video_id)
    foreground = np.zeros((video.height, video.width), dtype=bool)
    for track in _instances(dataset, video_id):
        mask = track.mask(frame)
        if mask is not None:
            foreground |= mask
    if not foreground.any():
        return 0
    grey = cv2.cvtColor(dataset.frame(video_id, frame), cv2.COLOR_RGB2GRAY)
    return len(sift.detect(grey, foreground.astype(np.uint8)))


def _by_video(values: dict[int, float]) -> pd.Series:
    return pd.Series(values).rename_axis("video")
