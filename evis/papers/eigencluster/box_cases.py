"""Photograph, scenes and videos to learn masks from boxes on, and what is measured there."""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import Tensor

from evis.data import masks
from evis.data.types import VISDataset
from evis.labels import from_boxes as pseudo_masks
from evis.losses import boxinst, tk
from evis.losses.neighbours import RING, WINDOW, inside_picture, shifted
from evis.papers.eigencluster.fit import (
    TEMPORAL,
    Boxed,
    ColourNetwork,
    FreeLogits,
    Objective,
    boxed,
    fit,
    from_dataset,
    ious,
    seen_throughout,
)

# Read off the photograph by eye, x and y, clockwise from the top.
FLOWER = (315, 85, 350, 91, 385, 99, 410, 115, 428, 145, 438, 180, 447, 215, 443, 250, 430, 285)
FLOWER += (414, 310, 402, 330, 370, 345, 335, 358, 305, 360, 270, 354, 235, 342, 205, 322)
FLOWER += (190, 300, 177, 270, 169, 235, 169, 198, 180, 172, 191, 146, 212, 118, 240, 101, 270, 95)


def flower(flavour: boxinst.Flavour = "paper") -> tuple[np.ndarray, Boxed, Tensor]:
    """scikit-learn's photograph of a dahlia: picture, box, and mask (1, 1, h, w), at 1/4 a side."""
    photo = load_sample_image("flower.jpg")[:424]
    mask = masks.from_polygons([list(map(float, FLOWER))], *photo.shape[:2])
    clip = boxed(photo[None], [[masks.tight_box(mask)]], stride=4, flavour=flavour)
    small = F.avg_pool2d(torch.from_numpy(masks.decode(mask)).float()[None, None], 4)
    size = photo.shape[1] // 4, photo.shape[0] // 4
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA), clip, small > 0.5


def edges(clip: Boxed, truth: Tensor, thresholds: Sequence[float]) -> dict[str, list[float]]:
    """Of the pairs of neighbours seen from the box: which share is similar enough to be joined,
    and which share of these joins object and background."""
    similarity = boxinst.color_similarity(clip.lab)[0]
    label = truth[0].float()
    crossing = torch.stack(shifted(label, 2, RING), dim=1)[0] != label
    seen = inside_picture(label, 2, RING) & (clip.boxes[0] > 0)
    found: dict[str, list[float]] = {"joined": [], "wrong": []}
    for threshold in thresholds:
        joined = (similarity >= threshold) & seen
        found["joined"].append(float(joined.sum() / seen.sum()))
        found["wrong"].append(float((joined & crossing).sum() / joined.sum().clamp(min=1)))
    return found


def chosen(similarity: Tensor) -> Tensor:
    return tk.best_candidates(similarity) & (similarity >= tk.THRESHOLD)


def match_quality(clip: Boxed, truth: Tensor) -> pd.Series:
    """How many pixels in the boxes have a match, and how often both ends have one true label.

    truth (N, T, h, w). Beside the matches: all candidates, and the same place in the other frame.
    """
    seen = tk.in_any_box(clip.boxes) > 0
    matched, right = [], {"ends of a match": [], "all candidates": [], "the same place": []}
    for (a, b), similarity in zip(clip.pairs, clip.patches, strict=True):
        taken = chosen(similarity)
        matched.append(taken.any(1, keepdim=True).expand_as(seen)[seen])
        there = torch.stack(shifted(truth[:, a].float(), tk.DILATION, WINDOW), dim=1)
        equal = there == truth[:, b].float().unsqueeze(1)
        centre = torch.zeros(1, len(WINDOW), 1, 1, dtype=torch.bool)
        centre[0, len(WINDOW) // 2] = True
        for name, pool in zip(right, (taken, torch.ones_like(taken), centre), strict=True):
            right[name].append(equal[(pool & seen).expand_as(equal)])
    shares = {f"of one label: {name}": torch.cat(of).float().mean() for name, of in right.items()}
    matched_share = torch.cat(matched).float().mean()
    return pd.Series({"pixels with a match": float(matched_share)} | shares).astype(float)


def scene(
    name: str, contrast: float = 45.0, own_colours: bool = False, seed: int = 0
) -> tuple[np.ndarray, Tensor]:
    """A drawn picture (64, 96, 3) and its true masks (N, 1, 64, 96).

    `contrast`: how many grey levels the first object's green lies above the background's, 100;
    with `own_colours`, it is the next object's red.
    """
    picture = np.full((64, 96, 3), 100.0)
    found = []
    for number, draw in enumerate(SCENES[name]):
        canvas = np.zeros((64, 96), np.uint8)
        draw(canvas)
        found.append(canvas > 0)
        picture[canvas > 0, 1 - number if own_colours else 1] += contrast
    picture += np.random.default_rng(seed).normal(0, 1.5, picture.shape)
    return picture.round().astype(np.uint8), torch.from_numpy(np.stack(found))[:, None]


def _drop(canvas: np.ndarray) -> None:
    cv2.circle(canvas, (44, 38), 15, 1, -1)
    cv2.fillPoly(canvas, [np.array([[32, 29], [68, 10], [56, 46]])], 1)


def _cross(canvas: np.ndarray) -> None:
    cv2.line(canvas, (28, 12), (70, 52), 1, 3)
    cv2.line(canvas, (70, 12), (28, 52), 1, 3)


def _corner(canvas: np.ndarray) -> None:
    canvas[12:52, 26:40] = canvas[38:52, 26:70] = 1


def _block(canvas: np.ndarray) -> None:
    canvas[12:38, 40:70] = 1


SCENES = {"drop": (_drop,), "corner and block": (_corner, _block), "cross": (_cross,)}


def boxes_of(truth: Tensor) -> list[list[tuple[float, ...]]]:
    return [[masks.tight_box(masks.encode(mask.numpy())) for mask in track] for track in truth]


def an_l(clip: Boxed, thickness: int = 3) -> Tensor:
    """1 along the left and the lower side of the boxes, within them; shape of the boxes."""
    boxes = clip.boxes
    right = F.pad(boxes, (thickness, 0))[..., :-thickness]
    above = F.pad(boxes, (0, 0, 0, thickness))[..., thickness:, :]
    return boxes * (1 - right * above)


def middle(dataset: VISDataset, video_id: int) -> list[int]:
    """The three frames in the middle of a video."""
    centre = dataset.video(video_id).length // 2
    return [centre - 1, centre, centre + 1]


def true_masks(dataset: VISDataset, video_id: int, times: Sequence[int]) -> Tensor:
    """(N, T, h, w) bool, in the order of `fit.from_dataset`."""
    tracks = seen_throughout(dataset, video_id, times)
    return torch.from_numpy(np.stack([[track.mask(t) for t in times] for track in tracks]))


def compare(
    dataset: VISDataset, boxes: VISDataset, video_ids: Sequence[int], seed: int = 0, steps: int = 50
) -> pd.DataFrame:
    """Mean IoU of the objects in each video's middle frames: rules of notebook 00, and descent."""
    rules = {
        "fill": pseudo_masks.fill,
        "ellipse": pseudo_masks.ellipse,
        "GrabCut": pseudo_masks.grabcut,
    }
    temporal = Objective(TEMPORAL)
    rows = {}
    for video_id in video_ids:
        times = middle(dataset, video_id)
        frames = [dataset.frame(video_id, t) for t in times]
        clip, truth = from_dataset(boxes, video_id, times), true_masks(dataset, video_id, times)
        found = {}
        for name, rule in rules.items():
            tracks = seen_throughout(boxes, video_id, times)
            made = [
                [rule(f, track.boxes[t]) for f, t in zip(frames, times, strict=True)]
                for track in tracks
            ]
            found[name] = torch.from_numpy(np.array(made))
        found["free logits"] = fit(clip, FreeLogits(clip, seed=seed), steps=steps).masks()
        found["free logits, TK"] = fit(clip, FreeLogits(clip, seed=seed), temporal, steps).masks()
        found["colour network"] = fit(clip, ColourNetwork(clip, seed=seed), steps=steps).masks()
        rows[video_id] = {name: float(ious(of, truth).mean()) for name, of in found.items()}
    return pd.DataFrame(rows).T
