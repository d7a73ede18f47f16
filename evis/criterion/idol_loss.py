"""IDOL's loss, under masks, boxes, or masks made from boxes: which terms count is data.

Of the two frames of a clip one is the key, drawn by lot, and the other the reference. What the key
frame's queries say is held against its objects, in every decoder layer. The embeddings of the last
layer are then held against those of the reference frame: the same object's shall be alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from evis.criterion.step import Step
from evis.criterion.targets import fill_boxes, pad
from evis.criterion.terms import Terms, by_layer
from evis.data.clips import Clip
from evis.data.errors import DataError
from evis.data.frame_prediction import FramePrediction
from evis.losses import boxinst, idol
from evis.losses.masks import dice
from evis.losses.tensors import Flavour, full_precision, moved

FRAMES = 2  # a clip: key and reference


class Objects(NamedTuple):
    """The N objects that are visible in one frame of a clip."""

    labels: Tensor  # (N,) long
    boxes: Tensor  # (N, 4) cx, cy, w, h: shares of the batch's canvas, which the network sees


class Regions(NamedTuple):
    """Where these objects are, at the logits' size. What does not count is None."""

    masks: Tensor | None  # (N, h, w) bool
    boxes: Tensor | None  # (N, h, w) bool, filled
    similar: Tensor | None  # (8, h, w) bool: neighbours of like colour


class Pairs(NamedTuple):
    """The queries of one clip that answer for an object, P pairs."""

    queries: Tensor  # (P,) long
    objects: Tensor  # (P,) long


@dataclass(frozen=True)
class IDOLLoss:
    """Weights are the released ones; `box_weight` and `mask_weight` are PM-VIS's W1 and W2.

    Each term is a sum over the queries that answer for an object, divided by their number in the
    micro-batch, as released; so it matters how a step is split. The pairwise term is a mean over
    edges. Masks are compared on the pictures alone; the released code compares them in the padding
    up to multiples of 32, too, where there is no object.
    """

    box_weight: float = 0.0  # W1: of projection and pairwise term
    mask_weight: float = 1.0  # W2: of focal and dice loss
    class_weight: float = 2.0
    l1_weight: float = 5.0
    giou_weight: float = 2.0
    focal_weight: float = 2.0
    dice_weight: float = 5.0
    contrastive_weight: float = 2.0
    cosine_weight: float = 3.0
    threshold: float = 0.2  # of like colours: PM-VIS, Eq. 3; 0.3 as released
    flavour: Flavour = "paper"  # of BoxInst's terms
    warm_up_steps: int = 0  # of the pairwise term

    def __call__(
        self,
        prediction: FramePrediction,
        clips: Sequence[Clip],
        step: Step,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Every term by name, before its weight, and `total`, which is what to minimise.

        Terms of the last layer have plain names, those of earlier layer i end in `_i`.
        """
        self._check(prediction, clips)
        keys = torch.randint(FRAMES, (len(clips),), generator=generator).tolist()
        layers = (*prediction.layers, prediction)
        with torch.autocast(prediction.mask_logits.device.type, enabled=False):
            objects = objects_in(prediction, clips, keys)
            regions = [self._regions(prediction, *of) for of in zip(clips, keys, strict=True)]
            of_layers, best = [], []
            for layer in layers:
                pairs, best = assigned(layer, keys, objects)
                of_layers.append(self._terms(layer, keys, objects, regions, pairs))
            terms = {name: torch.stack([of[name] for of in of_layers]) for name in of_layers[0]}
            alike = identity(prediction, clips, keys, best, generator)
            warm_up = boxinst.warm_up(step.number, self.warm_up_steps)
            weights = {
                "class": self.class_weight,
                "l1": self.l1_weight,
                "giou": self.giou_weight,
                "focal": self.mask_weight * self.focal_weight,
                "dice": self.mask_weight * self.dice_weight,
                "projection": self.box_weight,
                "pairwise": self.box_weight * warm_up,
                "contrastive": self.contrastive_weight,
                "cosine": self.cosine_weight,
            }
            total = sum(weights[name] * value.sum() for name, value in (terms | alike).items())
        return by_layer(terms) | alike | {"total": total}

    def _check(self, prediction: FramePrediction, clips: Sequence[Clip]) -> None:
        batch, frames = prediction.class_logits.shape[:2]
        if len(clips) != batch:
            raise ValueError(f"a prediction of {batch} clips came with {len(clips)} clips' targets")
        if frames != FRAMES:
            problem = f"IDOL learns from clips of {FRAMES} frames, these have {frames}"
            raise DataError(problem, remedy="Set frames, or still_frames of stills, to 2")
        for clip in clips:
            for kind, counts in (("boxes", 1), ("masks", self.mask_weight)):
                if counts and getattr(clip, kind) is None:
                    remedy = "Make masks of the boxes (evis label boxes), or set mask_weight=0"
                    problem = f"its objects have no {kind}"
                    raise DataError(problem, video=clip.video_id, remedy=remedy)

    def _regions(self, prediction: FramePrediction, clip: Clip, frame: int) -> Regions:
        device, stride = prediction.mask_logits.device, prediction.stride
        size = tuple(stride * side for side in prediction.mask_logits.shape[-2:])
        rows = clip.visible[:, frame]
        masks = filled = similar = None
        if self.mask_weight:
            masks = idol.subsampled(pad(clip.masks[rows, frame], size), stride)
            masks = moved(masks, device)
        if self.box_weight:
            filled = fill_boxes(clip.boxes[rows, frame], rows[rows], size)
            filled = moved(idol.subsampled(filled, stride), device)
            picture = moved(pad(clip.frames[frame], size), device)
            lab = boxinst.lab(picture[None], stride, self.flavour)
            alike = boxinst.color_similarity(lab)[0]
            similar = boxinst.alike(alike, self.threshold, self.flavour)
        return Regions(masks, filled, similar)

    def _terms(
        self,
        layer: FramePrediction,
        keys: Sequence[int],
        objects: Sequence[Objects],
        regions: Sequence[Regions],
        pairs: Sequence[Pairs],
    ) -> Terms:
        """One decoder layer's, of the key frames."""
        count = max(sum(len(of_clip.queries) for of_clip in pairs), 1)

        def said(name: str) -> list[Tensor]:
            return [getattr(layer, name)[n, key] for n, key in enumerate(keys)]

        def predicted(name: str) -> Tensor:
            parts = zip(said(name), pairs, strict=True)
            return full_precision(torch.cat([x[of.queries] for x, of in parts]))

        def wanted(of_clips: Sequence[Tensor]) -> Tensor:
            parts = zip(of_clips, pairs, strict=True)
            return torch.cat([x[of.objects] for x, of in parts])

        logits = torch.stack(said("class_logits"))  # (B, Q, C)
        labels = torch.full(logits.shape[:2], -1, device=logits.device)
        for row, of, known in zip(labels, pairs, objects, strict=True):
            row[of.queries] = known.labels[of.objects]
        boxes, targets = predicted("boxes"), wanted([of.boxes for of in objects])
        terms = {
            "class": idol.class_focal(logits, labels) / count,
            "l1": idol.box_l1(boxes, targets).sum() / count,
            "giou": idol.box_giou(boxes, targets).sum() / count,
        }
        drawn = predicted("mask_logits")  # (P, h, w)
        if self.mask_weight:
            masks = wanted([of.masks for of in regions])
            terms["focal"] = idol.mask_focal(drawn, masks).sum() / count
            terms["dice"] = dice(drawn.flatten(1), masks.flatten(1)).sum() / count
        if self.box_weight:
            filled = wanted([of.boxes for of in regions])
            similar = [of.similar.expand(len(of.boxes), -1, -1, -1) for of in regions]
            terms["projection"] = boxinst.projection_loss(drawn, filled)
            cost, edges = boxinst.pairwise_sum(drawn, wanted(similar), filled, flavour=self.flavour)
            terms["pairwise"] = cost / edges.clamp(min=1)
        return terms


def objects_in(
    prediction: FramePrediction,
    clips: Sequence[Clip],
    frames: Sequence[int],
    others: Sequence[int] | None = None,
) -> list[Objects]:
    """What is visible in one frame of each clip, and in the other frame where others are named."""
    device = prediction.class_logits.device
    width, height = (max(clip.frames.shape[axis] for clip in clips) for axis in (-1, -2))
    found = []
    for clip, frame, other in zip(clips, frames, others or frames, strict=True):
        shown = clip.visible[:, frame] & clip.visible[:, other]
        low, high = clip.boxes[shown, frame].chunk(2, -1)
        shares = torch.cat([(low + high) / 2, high - low], 1)
        shares = shares / torch.tensor([width, height, width, height])
        found.append(Objects(*(moved(x, device) for x in (clip.labels[shown], shares))))
    return found


def assigned(
    layer: FramePrediction, keys: Sequence[int], objects: Sequence[Objects]
) -> tuple[list[Pairs], list[Tensor]]:
    """Of each clip, the queries that answer for an object, and the best query of each (N,)."""
    pairs, best = [], []
    for number, (key, known) in enumerate(zip(keys, objects, strict=True)):
        logits, boxes = layer.class_logits[number, key], layer.boxes[number, key]
        learns, first = idol.assign(logits, boxes, (known.labels, known.boxes))
        queries = (learns >= 0).nonzero().flatten()
        pairs.append(Pairs(queries, learns[queries]))
        best.append(first)
    return pairs, best


def identity(
    prediction: FramePrediction,
    clips: Sequence[Clip],
    keys: Sequence[int],
    best: Sequence[Tensor],
    generator: torch.Generator | None,
) -> Terms:
    """What tells objects apart: an item for each that is visible in both frames."""
    others = [1 - key for key in keys]
    items = []
    # As released: what the key frame lacks is not known in the other one, either.
    for number, known in enumerate(objects_in(prediction, clips, others, keys)):
        key, other, seen = keys[number], others[number], clips[number].visible
        logits, boxes = prediction.class_logits[number, other], prediction.boxes[number, other]
        parts = idol.candidates(logits, boxes, (known.labels, known.boxes))  # (N, Q) each
        in_key = seen[seen[:, key], other].nonzero().flatten()  # places among the key frame's
        of_key = prediction.embeddings[number, key][best[number][moved(in_key, logits.device)]]
        of_other = prediction.embeddings[number, other].expand(len(of_key), -1, -1)
        items.append((of_key, of_other, *parts))
    key, reference, positives, negatives = map(torch.cat, zip(*items, strict=True))
    drawn = idol.draw_negatives(positives, negatives, generator)
    count = max(len(key), 1)
    return {
        "contrastive": idol.contrastive(key, reference, positives, negatives).sum() / count,
        "cosine": idol.cosine(key, reference, positives, drawn).sum() / count,
    }
