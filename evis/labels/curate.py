"""FlowCut's curation (section 3.3): two frames whose masks agree make a training clip."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from evis.data.errors import DataError
from evis.data.masks import RLE, pairwise_iou
from evis.data.types import Track, Video, VISDataset
from evis.labels.datasets import made

GAPS = (1, 2, 3, 4)  # frames between the two of a pair (section 4.1)
Pairs = list[tuple[int, int]]
Matcher = Callable[[np.ndarray, float], Pairs]  # IoUs (N, M), threshold -> pairs


def match(first: np.ndarray, second: np.ndarray, threshold: float = 0.5) -> Pairs:
    """Algorithm 1: of (N, h, w) and (M, h, w) bool masks of two frames, those of one object.

    Each mask of the first frame takes the one of the second with the highest IoU (the first of
    equals) if it is above the threshold: a mask of the second frame can be taken twice.
    """
    return by_rows(mask_ious(first, second), threshold)


def match_one_to_one(first: np.ndarray, second: np.ndarray, threshold: float = 0.5) -> Pairs:
    """`match` where no mask is taken twice: the assignment with the highest sum of IoUs.

    The paper's is row by row. Only pairs above the threshold count towards the sum.
    """
    return by_assignment(mask_ious(first, second), threshold)


def by_rows(ious: np.ndarray, threshold: float) -> Pairs:
    """Each row's best column, if it is above the threshold."""
    if not ious.size:
        return []
    best = ious.argmax(1).tolist()
    return [(n, m) for n, m in enumerate(best) if ious[n, m] > threshold]


def by_assignment(ious: np.ndarray, threshold: float) -> Pairs:
    """One column a row and one row a column, all above the threshold, at the highest sum."""
    rows, columns = linear_sum_assignment(np.where(ious > threshold, ious, 0), maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(n, m) for n, m in pairs if ious[n, m] > threshold]


def mask_ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, h, w), (M, h, w) bool -> (N, M); 0 where both masks are empty."""
    for masks in (first, second):
        if masks.ndim != 3 or masks.dtype != bool or masks.shape[1:] != first.shape[1:]:
            shapes = f"{first.shape} {first.dtype} and {second.shape} {second.dtype}"
            raise ValueError(f"masks should be (N, h, w) and (M, h, w) bool, got {shapes}")
    pixels = first.shape[1] * first.shape[2]
    flat = [masks.reshape(len(masks), pixels).astype(np.float32) for masks in (first, second)]
    shared = (flat[0] @ flat[1].T).astype(float)  # whole numbers, exact up to 2^24 pixels
    union = flat[0].sum(1)[:, None] + flat[1].sum(1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


@dataclass(frozen=True)
class Count:
    """What became of the pairs of frames at one distance, and of the instances in them."""

    gap: int
    pairs: int
    kept_pairs: int  # with an instance at least
    kept: int  # instances, of either frame, that were matched
    dropped: int


def pairs(
    dataset: VISDataset,
    gaps: Sequence[int] = GAPS,
    threshold: float = 0.5,
    matcher: Matcher = by_rows,
) -> tuple[VISDataset, tuple[Count, ...]]:
    """A data set of videos of two frames, of all pairs at these distances, and what was dropped.

    dataset: pseudo masks, whatever tracks they stand in; each pair's masks are matched anew, and
    a match is a track. Pairs without a match are left out.
    """
    if dataset.origin is None or any(track.masks is None for track in dataset.tracks):
        problem = "curation chooses among pseudo masks, and this set has no made masks"
        raise DataError(problem, remedy="Make them first, for instance with evis.labels.maskcut")
    if not gaps or min(gaps) < 1:
        raise ValueError(f"gaps should be frame distances of at least 1, got {tuple(gaps)}")
    videos: list[Video] = []
    tracks: list[Track] = []
    counts = []
    for gap in gaps:
        total = kept_pairs = kept = instances = 0
        for video, frames, found in _of_gap(dataset, gap):
            matches = _matches(found, threshold, matcher)
            total += 1
            instances += sum(len(rles) for _, rles in found)
            kept += sum(len(set(ends)) for ends in zip(*matches, strict=True))
            if matches:
                kept_pairs += 1
                clip = replace(
                    video,
                    id=len(videos) + 1,
                    name=f"{video.name} {frames[0]}-{frames[1]}",
                    frames=tuple(video.frames[frame] for frame in frames),
                )
                videos.append(clip)
                for n, m in matches:
                    (categories, first), (_, second) = found
                    bare = Track(len(tracks) + 1, clip.id, categories[n])
                    tracks.append(bare.with_masks((first[n], second[m])))
        counts.append(Count(gap, total, kept_pairs, kept, instances - kept))
    clips = replace(dataset, videos=tuple(videos), tracks=())
    what = f"pairs of frames {', '.join(map(str, gaps))} apart, IoU above {threshold:g}"
    return made(clips, tracks, what), tuple(counts)


Found = tuple[list[int], list[RLE]]  # categories and masks of one frame's instances


def _of_gap(
    dataset: VISDataset, gap: int
) -> Iterator[tuple[Video, tuple[int, int], tuple[Found, Found]]]:
    for video in dataset.videos:
        frames = [_found(dataset, video, frame) for frame in range(video.length)]
        for start in range(video.length - gap):
            ends = start, start + gap
            yield video, ends, (frames[ends[0]], frames[ends[1]])


def _found(dataset: VISDataset, video: Video, frame: int) -> Found:
    own = [t for t in dataset.tracks_of(video.id) if not t.is_crowd and t.masks[frame] is not None]
    return [track.category_id for track in own], [track.masks[frame] for track in own]


def _matches(found: tuple[Found, Found], threshold: float, matcher: Matcher) -> Pairs:
    (_, first), (_, second) = found
    return matcher(pairwise_iou(first, second), threshold)
