"""A photograph, drawn scenes and toy videos to learn masks from boxes on, and what they show."""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import Tensor

from evis.companion import fit as fitting
from evis.companion.fit import Boxed, BoxLoss, ColourNetwork, FreeLogits, boxed, ious
from evis.data import masks
from evis.data.clips import Clip, cut
from evis.data.types import VISDataset
from evis.labels import from_boxes
from evis.losses import boxinst, tk
from evis.losses.neighbours import RING, WINDOW, inside_picture, shifted

# Read off the photograph by eye, x and y, clockwise from the top.
FLOWER = (315, 85, 350, 91, 385, 99, 410, 115, 428, 145, 438, 180, 447, 215, 443, 250, 430, 285)
FLOWER += (414, 310, 402, 330, 370, 345, 335, 358, 305, 360, 270, 354, 235, 342, 205, 322)
FLOWER += (190, 300, 177, 270, 169, 235, 169, 198, 180, 172, 191, 146, 212, 118, 240, 101, 270, 95)


def flower() -> Clip:
    """scikit-learn's photograph of a dahlia, (424, 640), with its box and its mask."""
    photo = load_sample_image("flower.jpg")[:424]
    outline = masks.from_polygons([list(map(float, FLOWER))], *photo.shape[:2])
    return still(photo, masks.decode(outline)[None])


def still(picture: np.ndarray, drawn: np.ndarray) -> Clip:
    """A picture (h, w, 3) with masks (N, h, w) bool, as a clip of one frame with their boxes."""
    boxes = [masks.tight_box(masks.encode(mask)) for mask in drawn]
    corners = torch.tensor([[x, y, x + width, y + height] for x, y, width, height in boxes])
    return Clip(
        frames=torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None],
        video_id=0,
        frame_indices=(0,),
        track_ids=tuple(range(len(drawn))),
        labels=torch.zeros(len(drawn), dtype=torch.long),
        visible=torch.ones(len(drawn), 1, dtype=torch.bool),
        boxes=corners[:, None],
        masks=torch.from_numpy(np.array(drawn))[:, None],
    )


def scene(name: str, contrast: float = 45.0, own_colours: bool = False, seed: int = 0) -> Clip:
    """A drawn picture, (64, 96).

    `contrast`: how many grey levels the first object's green lies above the background's, 100;
    with `own_colours`, it is the next object's red.
    """
    picture = np.full((64, 96, 3), 100.0)
    drawn = np.zeros((len(SCENES[name]), 64, 96), np.uint8)
    for number, (draw, canvas) in enumerate(zip(SCENES[name], drawn, strict=True)):
        draw(canvas)
        picture[canvas > 0, 1 - number if own_colours else 1] += contrast
    picture += np.random.default_rng(seed).normal(0, 1.5, picture.shape)
    return still(picture.round().astype(np.uint8), drawn > 0)


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


def an_l(boxes: Tensor, thickness: int = 3) -> Tensor:
    """1 along the left and the lower side of filled boxes, within them; shape of the boxes."""
    right = F.pad(boxes, (thickness, 0))[..., :-thickness]
    above = F.pad(boxes, (0, 0, 0, thickness))[..., thickness:, :]
    return boxes * (1 - right * above)


def edges(clip: Boxed, truth: Tensor, thresholds: Sequence[float]) -> pd.DataFrame:
    """A row a threshold. Of the pairs of neighbours seen from the first box, in the first frame:
    which share is similar enough to be "joined", and which share of these joins object and
    background ("wrong"). truth: (N, T, h, w)
    """
    similarity = boxinst.color_similarity(clip.lab)[0]
    label = truth[0, :1].float()  # (1, h, w)
    crossing = torch.stack(shifted(label, 2, RING), dim=1)[0] != label
    seen = inside_picture(label, 2, RING) & (clip.boxes[0, :1] > 0)
    rows = {}
    for threshold in thresholds:
        joined = (similarity >= threshold) & seen
        wrong = (joined & crossing).sum() / joined.sum().clamp(min=1)
        rows[threshold] = {"joined": float(joined.sum() / seen.sum()), "wrong": float(wrong)}
    return pd.DataFrame(rows).T


def match_quality(clip: Boxed, truth: Tensor) -> pd.Series:
    """How many pixels in the boxes have a match of TK, at most three pixels from an outline and at
    all, and how often both ends have one true label.

    truth: (N, T, h, w). Beside the matches: all candidates, and the same place in the other frame.
    """
    seen = tk.in_any_box(clip.boxes) > 0  # (N, 1, h, w)
    own_place = torch.arange(len(WINDOW), device=seen.device).view(1, -1, 1, 1) == len(WINDOW) // 2
    inside = truth.float()
    outline = F.max_pool2d(inside, 7, 1, 3) > -F.max_pool2d(-inside, 7, 1, 3)  # (N, T, h, w)
    matched, at_outline = [], []
    right = {"ends of a match": [], "all candidates": [], "the same place": []}
    for (a, b), similarity in zip(clip.pairs, clip.patches, strict=True):
        matches = tk.matches(similarity)  # (1, 9, h, w)
        found = matches.any(1, keepdim=True).expand_as(seen)
        matched.append(found[seen])
        at_outline.append(found[seen & outline[:, b, None]])
        there = torch.stack(shifted(truth[:, a].float(), tk.DILATION, WINDOW), dim=1)
        equal = there == truth[:, b].float().unsqueeze(1)  # (N, 9, h, w)
        pools = matches, torch.ones_like(matches), own_place
        for ends, pool in zip(right.values(), pools, strict=True):
            ends.append(equal[(pool & seen).expand_as(equal)])
    shares = {"pixels with a match": torch.cat(matched)}
    shares["of pixels at an outline"] = torch.cat(at_outline)
    shares |= {f"of one label: {name}": torch.cat(ends) for name, ends in right.items()}
    return pd.Series({name: float(flags.float().mean()) for name, flags in shares.items()})


def middle(dataset: VISDataset, video_id: int) -> Clip:
    """The three frames in the middle of a video."""
    centre = dataset.video(video_id).length // 2
    return cut(dataset, video_id, (centre - 1, centre, centre + 1))


RULES = {"fill": from_boxes.fill, "ellipse": from_boxes.ellipse, "GrabCut": from_boxes.grabcut}


def compare(clips: Sequence[Clip], seed: int = 0, steps: int = 50) -> pd.DataFrame:
    """A row a clip: mean IoU of its objects' masks by the rules of notebook 00, and by descent."""
    rows = []
    for clip in clips:
        known = boxed(clip)
        losses = {
            "free logits": BoxLoss(known),
            "free logits, TK": BoxLoss(known, fitting.TEMPORAL),
        }
        found = {name: by_rule(rule, clip) for name, rule in RULES.items()}
        for name, loss in losses.items():
            model = FreeLogits(known.start(seed=seed), blur=2)
            found[name] = fitting.fit(model, loss, steps).masks()
        network = ColourNetwork(known, seed=seed)
        found["colour network"] = fitting.fit(network, losses["free logits"], steps).masks()
        seen = clip.visible
        rows.append({name: float(ious(of, clip.masks)[seen].mean()) for name, of in found.items()})
    return pd.DataFrame(rows)


def by_rule(rule: from_boxes.Segmenter, clip: Clip) -> Tensor:
    """(N, T, h, w) bool: what a rule that learns nothing makes of each box."""
    pictures = clip.frames.permute(0, 2, 3, 1).numpy()
    made = torch.zeros_like(clip.masks)
    for n, t in clip.visible.nonzero().tolist():
        x0, y0, x1, y1 = clip.boxes[n, t].tolist()
        made[n, t] = torch.from_numpy(rule(pictures[t], (x0, y0, x1 - x0, y1 - y0)))
    return made
