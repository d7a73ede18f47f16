"""What L_eig and Q answer to, and what TEL does to masks, without any training.

Unless a model made them, logits are the distance to a mask's outline, at 64 x 96 pixels.
"""

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn

from evis.companion import fit, realism
from evis.data import toy
from evis.data.clips import Clip, ClipDataset
from evis.foundation.flow import dis
from evis.losses import boxinst, qcc, tel, tk
from evis.losses.tensors import resize
from evis.papers.eigencluster import one_batch
from evis.papers.eigencluster.settings import Settings

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
STRIDE = 2  # of the toy models' logits
_TURNS = range(-40, 41, 8)  # degrees tried when two masks are laid over each other
BETA = Settings.beta
TERMS: dict[str, Callable] = {  # of what finds L_tk and L_eig of each pair; TEL is Eq. 14
    "no TK": lambda tk, l_eig: 0.0,
    "TK": lambda tk, l_eig: tk().sum(),
    "TK x 100": lambda tk, l_eig: 100 * tk().sum(),
    "TEL, mean": lambda tk, l_eig: tel.temporal_loss(tk(), l_eig("mean"), BETA),
    "TEL, sum": lambda tk, l_eig: tel.temporal_loss(tk(), l_eig(), BETA),
    # TK times the mean factor of TEL's sum, as a number: it has no gradient.
    "placebo": lambda tk, l_eig: tk().sum() * (1 + BETA * l_eig().detach().mean()),
}


def videos() -> ClipDataset:
    """Of held-out toy videos with their masks; clips are drawn as the released code does."""
    dataset = toy.sample("toy-ytvis19", 40, seed=1, split="valid")
    return ClipDataset(dataset, frame_range=5, shorter_sides=(64,), longest_side=96, flip=0.0)


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
    return float(_of_pairs(logits.reshape(-1, *logits.shape[-3:]), [(0, 1)]))


def _of_pairs(logits: Tensor, pairs: tel.Pairs, how: str = "paper") -> Tensor:
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
    regions = [region for region, _ in two_objects(number)]
    for name in realism.REAL[1:]:
        frames = realism.real_clip(name)
        starts = np.linspace(0, len(frames) - 6, number).astype(int)
        for t, region in zip(starts, regions, strict=False):
            back = [dis(frames[t + gap], frames[t]) for gap in range(1, 6)]
            lines += [("real", f"{name} {t}", region, _carried(region, flow)) for flow in back]
    lines = [line for line in lines if all((one > 0).any() for one in line[2:])]
    table = [(*line[:2], l_eig(*line[2:]), *motion(*line[2:])) for line in lines]
    return pd.DataFrame(table, columns=["where", "unit", "L_eig", "motion", "deformation"])


def predicted() -> pd.DataFrame:
    """A line a toy clip: L_eig, an object and pair, and Q of the committed model's masks.

    "mask error": 1 - IoU with the true masks. "flicker": how much that changes between frames.
    """
    lines = []
    for unit, clip in enumerate(videos()):
        logits, q = matched(clip)
        pairs, size = tel.cyclic_pairs(logits.shape[1]), tuple(clip.masks.shape[-2:])
        error = 1 - fit.ious(resize(logits, size) > 0, clip.masks)  # (N, T)
        change = _of_pairs(logits, pairs).mean() / len(logits)
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


def batched(known: Sequence[fit.Boxed]) -> Callable[[Tensor], tuple[Tensor, Callable, Callable]]:
    """Logits (N, T, h, w) of all clips' objects -> what a batch of these clips costs, in parts:

    L_spatial, weighted; and what finds L_tk and L_eig of each pair.
    """
    boxes, pairs = torch.cat([one.boxes for one in known]), known[0].pairs
    alike = torch.cat([one.similarity for one in known])
    of_clips = [[p.expand(len(one.boxes), -1, -1, -1) for p in one.patches] for one in known]
    patches = [torch.cat(of_pair) for of_pair in zip(*of_clips, strict=True)]  # (N, 9, h, w) each

    def terms(logits: Tensor) -> tuple[Tensor, Callable, Callable]:
        single, filled = logits.flatten(0, 1), boxes.flatten(0, 1)
        spatial = Settings.dice_weight * boxinst.projection_loss(single, filled)
        pairwise = boxinst.pairwise_loss(single, alike, filled, flavour="paper")
        cost = partial(tk.tk_loss, logits, patches, boxes, pairs)
        return spatial + Settings.mask_weight * pairwise, cost, partial(_of_pairs, logits, pairs)

    return terms


class Networks(nn.Module):
    """A `ColourNetwork` a clip: equal colours, equal logits."""

    rate = fit.ColourNetwork.rate

    def __init__(self, known: Sequence[fit.Boxed]):
        super().__init__()
        self.each = nn.ModuleList(fit.ColourNetwork(one) for one in known)

    def forward(self) -> Tensor:
        return torch.cat([network() for network in self.each])


def free_logits(known: Sequence[fit.Boxed]) -> fit.FreeLogits:
    return fit.FreeLogits(torch.cat([one.start(seed=n) for n, one in enumerate(known)]), blur=2)


def fitted(
    model: Callable[[Sequence[fit.Boxed]], nn.Module], number: int = 6, steps: int = 30
) -> pd.DataFrame:
    """A column a term, a line a clip: mIoU (%) of masks that gradient descent fits to boxes.

    All clips are one batch, as in training: Eq. 10 sums over the objects of all of them. TK is that
    of the toy rows: a mean over its matches, at the factor of 0.1.
    """
    clips = list(videos())[:number]
    known = [fit.boxed(clip, STRIDE) for clip in clips]
    truth = torch.cat([fit.shrunk(clip.masks, STRIDE) for clip in clips])
    clip_of = np.repeat(np.arange(number), [len(clip.labels) for clip in clips])
    terms, seen, found = batched(known), truth.flatten(2).any(-1), {}
    for name, term in TERMS.items():

        def loss(logits: Tensor, term=term) -> dict[str, Tensor]:
            spatial, *temporal = terms(logits)
            weight = Settings.mask_weight * Settings.temporal_factor
            return {"total": spatial + weight * term(*temporal)}

        ious = fit.ious(fit.fit(model(known), loss, steps).masks(), truth)
        of_objects = (ious * seen).sum(1) / seen.sum(1)
        found[name] = 100 * pd.Series(of_objects.numpy()).groupby(clip_of).mean()
    return pd.DataFrame(found)


def cosines(number: int = 16) -> pd.DataFrame:
    """Of the terms' slopes in the committed model's logits, with TK's and with that of BCE.

    A line a term and clip; "TEL alone" is what Eq. 13 adds by the slope of L_eig.
    """
    lines = []
    for clip in list(videos())[:number]:
        logits = matched(clip)[0].requires_grad_()
        truth = fit.shrunk(clip.masks, STRIDE)
        _, cost, change = batched([fit.boxed(clip, STRIDE)])(logits)
        values = {name: term(cost, change) for name, term in TERMS.items() if name != "no TK"}
        values["TEL alone"] = (cost().detach() * change()).sum()
        values["true masks"] = F.binary_cross_entropy_with_logits(logits, truth.float())
        slopes = {
            name: torch.autograd.grad(value, logits, retain_graph=True)[0].flatten()
            for name, value in values.items()
        }
        for name in values:
            each = (F.cosine_similarity(slopes[name], slopes[n], 0) for n in ("TK", "true masks"))
            lines.append((name, *map(float, each)))
    return pd.DataFrame(lines, columns=["term", "with TK", "with the true masks"])
