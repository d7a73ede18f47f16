"""Mask2Former's loss where people clicked and nowhere else: PointVIS's baselines (section 4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evis.criterion.mask_loss import MaskLoss
from evis.criterion.matched import grouped, in_layers
from evis.criterion.step import Step
from evis.criterion.targets import clicked
from evis.criterion.terms import class_term, click_terms, objects_of, weighed
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.matching import WEIGHTS, Clicks, match_clicks


@dataclass(frozen=True)
class PointLoss:
    """`MaskLoss` with its weights, but a mask is matched and judged at its object's clicks alone.

    No mask is read. Where all clicks are positive, nothing keeps a mask from covering the picture:
    that is VISP. With `cross_instance`, positive clicks on other objects of the frame are negatives
    of this one, for the loss and the matching: VISP+CINeg. An object alone has no such others.
    """

    cross_instance: bool = False

    def __call__(
        self,
        prediction: ClipPrediction,
        clips: Sequence[Clip],
        step: Step,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """The terms of `MaskLoss`; nothing here is random."""
        objects, queries = objects_of(step, clips), prediction.class_logits.shape[:2].numel()
        with torch.autocast(prediction.mask_logits.device.type, enabled=False):
            parts = []
            for group in grouped(prediction, clips, "points", as_padded=False):
                device = group.labels.device
                clicks = clicked(group.clips, group.size, device, self.cross_instance)
                of_clips = zip(*(x.split(group.counts) for x in clicks), strict=True)
                labels = [clip.labels for clip in group.clips]
                known = [Clicks(*of_clip) for of_clip in of_clips]
                found = match_clicks(group.logits, labels, known, group.names, WEIGHTS)
                for match in in_layers(group, found):
                    own = Clicks(*(x[match.objects] for x in clicks))
                    terms = click_terms(match.logits, own, objects)
                    terms |= class_term(match, queries, objects, MaskLoss.no_object_weight)
                    parts.append((match, terms))
            return weighed(parts, len(prediction.layers) + 1, WEIGHTS)
