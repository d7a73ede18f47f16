"""Mask2Former's loss: queries matched to objects in every layer, then class, BCE and dice."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evis.criterion.matched import grouped, matched
from evis.criterion.step import Step
from evis.criterion.terms import class_term, mask_terms, objects_of, weighed
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.matching import Weights


@dataclass(frozen=True)
class MaskLoss:
    """All that mask supervision needs, whatever made the masks. Weights are the released ones.

    Every object weighs the same, however a step is split into micro-batches and processes.

    `drop_iou` makes it CutLER's DropLoss (0.01 there), for labels that miss objects: a query that
    shows something where no label is, up to this IoU, is not told that there is no object. CutLER
    compares boxes, which its detector predicts; here a query's mask in all frames is compared with
    those of the labels. Queries that were matched learn as ever, and so do those that show nothing,
    which have discovered nothing. None: every query that was not matched is "no object".
    """

    class_weight: float = 2.0
    mask_weight: float = 5.0  # of BCE
    dice_weight: float = 5.0
    no_object_weight: float = 0.1  # of the class "no object" within the class term
    points: int = 20_000  # where BCE, dice and the matching look at a mask
    as_padded: bool = False  # all clips on the canvas of their batch, as released
    drop_iou: float | None = None

    def __call__(
        self,
        prediction: ClipPrediction,
        clips: Sequence[Clip],
        step: Step,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Every term by name, before its weight, and `total`, which is what to minimise.

        Terms of the last layer have plain names, those of earlier layer i end in `_i`.
        """
        objects, queries = objects_of(step, clips), prediction.class_logits.shape[:2].numel()
        weights = Weights(self.class_weight, self.mask_weight, self.dice_weight)
        with torch.autocast(prediction.mask_logits.device.type, enabled=False):
            parts = []
            for group in grouped(prediction, clips, "masks", self.as_padded):
                for match in matched(group, self.points, generator, weights):
                    terms = mask_terms(match, self.points, objects, generator)
                    terms |= class_term(
                        match, queries, objects, self.no_object_weight, self.drop_iou
                    )
                    parts.append((match, terms))
            return weighed(parts, len(prediction.layers) + 1, weights)
