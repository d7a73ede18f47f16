"""What L_eig and Q answer to, without any training. `term_effects` has what TEL does to masks.

Unless a model made them, logits are the distance to a mask's outline, at 64 x 96 pixels.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import cycle

import cv2
import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from evis.companion import fit, realism
from evis.data import toy
from evis.data.clips import Clip, ClipDataset
from evis.foundation.flow import dis
from evis.losses import qcc, tel
from evis.losses.tensors import resize
from evis.papers.eigencluster import one_batch

Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
CHANGES: dict[str, tuple[Sequence[float], Change]] = {  # of a field (h, w), by these amounts
    # Pixels, down and to the right. (Whole cells of S pixels would show as no change at all.)
    "shift": ((1, 2, 4, 8), lambda one, by, _: _moved(one, (0.6 * by, 0.8 * by))),
    # Degrees.
    "turn": ((5, 10, 20, 40), lambda one, by, _: _moved(one, degrees=by)),
    # Times as wide and high.
    "growth": ((1.05, 1.1, 1.2, 1.4), lambda one, by, _: _moved(one, times=by)),
    # Pixels, the deviation of smooth displacements.
    "deformation": ((0.5, 1, 2, 3), lambda one, by, random: _carried(one, by * _waves(random))),
    # Pixels by which the outline runs in and out.
    "flicker": ((0.5, 1, 2, 4), lambda one, by, random: one + by * _waves(random, 3)[..., 0]),
    # Pixels lost along the outline.
    "erosion": ((0.5, 1, 2, 3), lambda one, by, _: one - by),
}
_TURNS = range(-40, 41, 8)  # degrees tried when two masks are laid over each other


def videos() -> ClipDataset:
    """Of held-out toy videos with their masks; clips are drawn as the released code does."""
    return one_batch.clips_of(toy.sample("toy-ytvis19", 40, seed=1, split="valid"))


def field(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> float32: pixels to the outline, positive inside, blurred by one pixel."""
    inside, outside = (cv2.distanceTransform(np.uint8(m), cv2.DIST_L2, 5) for m in (mask, ~mask))
    return cv2.GaussianBlur(inside - outside, (0, 0), 1)


def two_objects(number: int) -> list[np.ndarray]:
    """(2, h, w) fields of the middle frames of videos with two objects of 100 pixels or more."""
    dataset = videos().dataset
    middles = [dataset.mask_stack(v.id)[:, v.length // 2] for v in dataset.videos]
    chosen = [two for two in middles if len(two) == 2 and two.sum((1, 2)).min() >= 100]
    return [np.stack([field(mask) for mask in two]) for two in chosen[:number]]


def _waves(random: np.random.Generator, sigma: float = 8) -> np.ndarray:
    """(h, w, 2) of deviation 1, as smooth as white noise is under so wide a Gaussian."""
    noise = cv2.GaussianBlur(random.standard_normal((*realism.SIZE, 2), np.float32), (0, 0), sigma)
    return noise / noise.std((0, 1))


def _carried(one: np.ndarray, back: np.ndarray) -> np.ndarray:
    """back: (h, w, 2), from each place to where in the field it comes from."""
    down, across = np.mgrid[: one.shape[0], : one.shape[1]].astype(np.float32)
    places = across + back[..., 0], down + back[..., 1]
    return cv2.remap(one, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _moved(one: np.ndarray, shift=(0.0, 0.0), degrees=0.0, times=1.0) -> np.ndarray:
    """Turned and grown about its middle, then shifted by pixels to the right and down."""
    matrix = cv2.getRotationMatrix2D(_middle(one), degrees, times)
    matrix[:, 2] += shift
    return cv2.warpAffine(one, matrix, one.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def _middle(one: np.ndarray) -> np.ndarray:
    return np.argwhere(one > 0).mean(0)[::-1]


def motion(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Pixels between two masks' middles; and 1 - IoU after the best shift, turn and growth."""
    shift = _middle(after) - _middle(before)
    times = np.sqrt((after > 0).sum() / (before > 0).sum())
    laid_over = (_moved(before, shift, degrees, times) for degrees in _TURNS)
    return float(np.hypot(*shift)), min(one_less_iou(one, after) for one in laid_over)


def one_less_iou(before: np.ndarray, after: np.ndarray) -> float:
    either, both = (before > 0) | (after > 0), (before > 0) & (after > 0)
    return 1 - both.sum() / either.sum()


def l_eig(before: np.ndarray, after: np.ndarray) -> float:
    """Eq. 10 of one pair of frames: fields (..., h, w) of any number of objects."""
    logits = torch.from_numpy(np.stack((before, after), -3)).clamp(-8, 8)  # (..., 2, h, w)
    return float(of_pairs(logits.reshape(-1, *logits.shape[-3:]), [(0, 1)]))


def of_pairs(logits: Tensor, pairs: tel.Pairs, how: str = "paper") -> Tensor:
    return tel.eigenvalue_loss(tel.eigenvalues(logits), pairs, how)


def controlled(number: int = 12) -> pd.DataFrame:
    """A line a clip of two objects, change and amount.

    L_eig is between a frame and the changed one; Q that of three frames, the middle one changed.
    """
    lines, clips = [], []
    for unit, before in enumerate(two_objects(number)):
        for what, (amounts, change) in CHANGES.items():
            for place, amount in enumerate(amounts):
                random = np.random.default_rng([unit, place])
                after = np.stack([change(one, amount, random) for one in before])
                apart = {"L_eig": l_eig(before, after), "1 - IoU": one_less_iou(before, after)}
                lines.append({"unit": unit, "what": what, "amount": amount} | apart)
                clips.append(np.stack((before, after, before), 1))
    logits = torch.from_numpy(np.stack(clips)).clamp(-8, 8)
    scores = qcc.cluster_scores(qcc.feature_points(logits), [2] * len(logits))
    return pd.DataFrame(lines).assign(Q=1 + scores.numpy())


def within_clips(table: pd.DataFrame) -> pd.DataFrame:
    """Of `controlled`, a line a change: the mean over clips of each answer's rank correlation with
    the amount.
    """
    of_clips = table.groupby(["what", "unit"], sort=False)[["amount", "L_eig", "Q"]]
    found = of_clips.corr("spearman")["amount"].unstack()[["L_eig", "Q"]]
    return found.groupby("what", sort=False).mean()


def moving(number: int = 12) -> pd.DataFrame:
    """A line a pair of frames, 1 to 5 apart: L_eig between masks that are right in both.

    "toy": true masks. "real": a region of a real clip, shaped like a toy object, that goes where
    the clip's flow takes it. (Not of bikes, which has cuts.) What has no pixel left in either frame
    is left out.
    """
    dataset, lines = videos().dataset, []
    for track in dataset.tracks[:number]:
        seen = [t for t, mask in enumerate(track.masks) if mask is not None]
        pairs = [(a, b) for a in seen[::3] for b in seen if 1 <= b - a <= 5]
        masks = {t: field(track.mask(t)) for t in seen}
        lines += [("toy", track.id, masks[a], masks[b]) for a, b in pairs]
    for (unit, flows), (region, _) in zip(_real(number), cycle(two_objects(number)), strict=False):
        lines += [("real", unit, region, _carried(region, flow)) for flow in flows]
    lines = [line for line in lines if all((one > 0).any() for one in line[2:])]
    table = [(*line[:2], l_eig(*line[2:]), *motion(*line[2:])) for line in lines]
    return pd.DataFrame(table, columns=["where", "unit", "L_eig", "motion", "deformation"])


def moving_together(number: int = 12) -> pd.DataFrame:
    """As `moving`, of two objects or regions at once, which Q needs: a clip of either frame.

    "motion" and "deformation" are means over the two.
    """
    dataset, lines = videos().dataset, []
    both = [v for v in dataset.videos if len(dataset.tracks_of(v.id)) == 2][:number]
    for of in both:
        masks = dataset.mask_stack(of.id)  # (2, T, h, w)
        seen = [t for t in range(of.length) if masks[:, t].any((1, 2)).all()]
        fields = {t: np.stack([field(mask) for mask in masks[:, t]]) for t in seen}
        pairs = [(a, b) for a in seen[::3] for b in seen if 1 <= b - a <= 5]
        lines += [("toy", of.id, fields[a], fields[b]) for a, b in pairs]
    for (unit, flows), two in zip(_real(number), cycle(two_objects(number)), strict=False):
        carried = [np.stack([_carried(one, flow) for one in two]) for flow in flows]
        lines += [("real", unit, two, after) for after in carried]
    lines = [line for line in lines if (np.stack(line[2:]) > 0).any((2, 3)).all()]
    logits = torch.from_numpy(np.stack([np.stack(line[2:], 1) for line in lines])).clamp(-8, 8)
    scores = qcc.cluster_scores(qcc.feature_points(logits), [2] * len(lines))
    moved = [
        np.mean([motion(*one) for one in zip(*line[2:], strict=True)], 0).tolist() for line in lines
    ]
    table = [
        (*line[:2], 1 + float(score), *own)
        for line, score, own in zip(lines, scores, moved, strict=True)
    ]
    return pd.DataFrame(table, columns=["where", "unit", "Q", "motion", "deformation"])


@cache
def _real(number: int) -> list[tuple[str, list[np.ndarray]]]:
    """As many places in each real clip but bikes, and what flows back to each from the next five
    frames. The two clips that are one film have their places in common.
    """
    found = []
    for name in realism.REAL[1:]:
        frames = realism.real_clip(name)
        for t in np.linspace(0, len(frames) - 6, number).astype(int):
            flows = [dis(frames[t + gap], frames[t]) for gap in range(1, 6)]
            found.append((f"{name.partition('_')[0]} {t}", flows))
    return found


def predicted() -> pd.DataFrame:
    """A line a toy clip: L_eig, an object and pair, and Q of the committed model's masks.

    "mask error": 1 - IoU with the true masks. "flicker": how much that changes between frames.
    """
    lines = []
    for unit, clip in enumerate(videos()):
        logits, q = matched(clip)
        pairs, size = tel.cyclic_pairs(logits.shape[1]), tuple(clip.masks.shape[-2:])
        error = 1 - fit.ious(resize(logits, size) > 0, clip.masks)  # (N, T)
        change = of_pairs(logits, pairs).mean() / len(logits)
        flicker = (error - error.roll(1, 1)).abs().mean()
        lines.append((unit, *map(float, (error.mean(), flicker, change, q))))
    return pd.DataFrame(lines, columns=["unit", "mask error", "flicker", "L_eig", "Q"])


def matched(clip: Clip) -> tuple[Tensor, Tensor]:
    """Logits (N, T, h, w) of the queries that boxes match with the objects; Q, NaN for one."""
    batch = one_batch.predict([clip])
    q = qcc.quality_cluster_coefficient(batch.prediction.mask_logits, batch.objects)
    return batch.instances[batch.match.objects.argsort()], q if len(clip.labels) > 1 else q * np.nan


def correlation(table: pd.DataFrame, cause: str, answer: str, draws: int = 300) -> dict:
    """Spearman's over all lines, with a 95% interval: units drawn anew, with all of their lines."""
    known = table.dropna(subset=answer)
    units = [own[[cause, answer]].to_numpy() for _, own in known.groupby("unit")]
    chosen = np.random.default_rng(0).integers(len(units), size=(draws, len(units)))
    found = []
    for drawn in [range(len(units)), *chosen]:
        ranks = stats.rankdata(np.concatenate([units[unit] for unit in drawn]), axis=0)
        found.append(np.corrcoef(ranks.T)[0, 1])
    low, high = np.quantile(found[1:], (0.025, 0.975))
    return {"mean": found[0], "low": low, "high": high}
