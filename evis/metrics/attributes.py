"""What makes a video hard, as Eigen-Cluster's Fig. 6 measures it: box overlap (MBOR), the number
of instances, and SIFT keypoints in the foreground; and the median split that the figure uses.

A crowd region is no instance, so crowd tracks count for none of the three.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from evis.data.errors import DataError
from evis.data.types import Box, Track, VISDataset


def box_overlap_rate(boxes: Sequence[Box | None] | np.ndarray) -> float:
    """OVIS's BOR of one frame: the area that two or more boxes cover over the area of their union.

    |union over i < j of (B_i and B_j)| / |union over i of B_i|. NaN if no box has an area.
    """
    x, y, width, height = _corners(boxes)
    # The boxes' sides cut the plane into cells, each wholly inside or outside of a box.
    across, down = np.unique([x, x + width]), np.unique([y, y + height])
    columns = (x[:, None] <= across[:-1]) & (across[1:] <= (x + width)[:, None])
    rows = (y[:, None] <= down[:-1]) & (down[1:] <= (y + height)[:, None])
    cover = rows.T.astype(int) @ columns.astype(int)  # boxes over each cell, (rows, columns)
    area = np.outer(np.diff(down), np.diff(across))
    union = area[cover > 0].sum()
    return float(area[cover > 1].sum() / union) if union > 0 else np.nan


def mbor(boxes: Sequence[Sequence[Box | None]] | np.ndarray) -> float:
    """OVIS's mean bounding-box overlap rate of a video: the mean of BOR over frames with a box.

    `boxes` has one entry a frame: boxes (x, y, width, height), None where an object is not visible;
    or it is one (frames, objects, 4) array. A box without area counts as not visible, and so does
    a row of NaN. A video without any box has no overlap: 0.
    """
    rates = []
    for frame, visible in enumerate(boxes):
        try:
            rates.append(box_overlap_rate(visible))
        except DataError as error:
            raise DataError(error.problem, frame=frame, field="boxes") from None
    rates = [rate for rate in rates if not np.isnan(rate)]
    return float(np.mean(rates)) if rates else 0.0


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


def _corners(boxes: Sequence[Box | None] | np.ndarray) -> np.ndarray:
    """The visible boxes, (4, boxes) float: x, y, width, height."""
    try:
        array = np.array([(np.nan,) * 4 if box is None else box for box in boxes], dtype=float)
    except (TypeError, ValueError):
        raise DataError("a box should be 4 numbers or None", field="boxes") from None
    if array.size == 0:
        return np.zeros((4, 0))
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError("a box should be 4 numbers or None", field="boxes")
    array = array[~np.isnan(array).all(1)]
    if not np.isfinite(array).all() or (array[:, 2:] < 0).any():
        raise DataError(
            "a box should be finite numbers x, y, width, height, the last two not negative",
            field="boxes",
        )
    return array[(array[:, 2:] > 0).all(1)].T


def _instances(dataset: VISDataset, video_id: int) -> list[Track]:
    if dataset.supervision == "none":
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
