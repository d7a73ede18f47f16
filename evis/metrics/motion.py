"""Which annotated objects move, by their masks alone, and which of them together.

DAVIS-2017-Motion is DAVIS under labels that motion can tell apart: what moves together is one
object. It was labelled by hand; this is a rule in its place, for cameras that hardly move.
"""

from dataclasses import replace

import numpy as np

from evis.data import masks
from evis.data.types import Track, VISDataset

GAP = 4  # frames
# Frame heights a frame: faster objects move, and those whose velocities differ by less move
# together. Of toy-davis 46 objects were looked at: of those that rest, though they turn and sway,
# none was faster; of 12 that move the two slowest were slower.
MOVES = 0.006


def velocity(track: Track) -> np.ndarray:
    """(2,) right and down, in frame heights a frame: the median over time of the way between the
    mask's middles `GAP` frames apart. An object hidden in part for a while is not faster for it.

    0 for an object that is never seen so far apart.
    """
    height = next((rle["size"][0] for rle in track.masks if rle is not None), 1)
    middles = np.full((len(track.masks), 2), np.nan)
    for frame, rle in enumerate(track.masks):
        if rle is not None:
            rows, columns = np.nonzero(masks.decode(rle))
            middles[frame] = columns.mean(), rows.mean()
    ways = (middles[GAP:] - middles[:-GAP]) / (GAP * height)
    ways = ways[~np.isnan(ways).any(1)]
    return np.median(ways, 0) if len(ways) else np.zeros(2)


def moving(dataset: VISDataset, least: float = MOVES) -> VISDataset:
    """The objects that move, those that move together as one: under the first one's id and class.

    Together means a velocity less than `least` from that of one of them. Crowds stay out.
    """
    tracks: list[Track] = []
    for video in dataset.videos:
        groups: list[list[tuple[np.ndarray, Track]]] = []
        for track in dataset.tracks_of(video.id):
            own = velocity(track)
            if track.is_crowd or np.linalg.norm(own) <= least:
                continue
            near = [g for g in groups if any(np.linalg.norm(own - v) < least for v, _ in g)]
            groups = [g for g in groups if not any(g is other for other in near)]
            groups.append([*sum(near, []), (own, track)])
        tracks += [_together([track for _, track in group]) for group in groups]
    return replace(dataset, tracks=tuple(sorted(tracks, key=lambda track: track.id)))


def _together(group: list[Track]) -> Track:
    if len(group) == 1:
        return group[0]
    first = min(group, key=lambda track: track.id)
    union = []
    for of_frame in zip(*(track.masks for track in group), strict=True):
        there = [masks.decode(rle) for rle in of_frame if rle is not None]
        union.append(masks.encode(np.any(there, axis=0)) if there else None)
    return replace(first, boxes=None, masks=None, areas=None).with_masks(union)
