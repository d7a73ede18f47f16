"""One decoder layer's queries, matched to the objects of a batch of clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses.settings import Settings
from evis.losses.tensors import full_precision
from evis.matching import match


@dataclass(frozen=True)
class Matched:
    """M pairs of a query and an object in one layer: of each clip, and all together."""

    pairs: list[tuple[Tensor, Tensor]]  # (queries, objects) a clip
    logits: Tensor  # (M, T, h, w) float32 at least

    def objects(self, values: Sequence[Tensor]) -> Tensor:
        """One (N, ...) a clip -> (M, ...)."""
        return torch.cat([v[objects] for v, (_, objects) in zip(values, self.pairs, strict=True)])

    def clips(self, values: Tensor) -> Tensor:
        """(B, ...) -> (M, ...)."""
        counts = torch.tensor([len(queries) for queries, _ in self.pairs], device=values.device)
        return values.repeat_interleave(counts, 0)


def match_layer(
    layer: ClipPrediction,
    clips: Sequence[Clip],
    labels: Sequence[Tensor],
    targets: Sequence[Tensor],
    settings: Settings,
    generator: torch.Generator | None,
    name: str,
) -> Matched:
    pairs = match(
        layer.class_logits,
        layer.mask_logits,
        list(zip(labels, targets, strict=True)),
        by="masks" if settings.supervision == "mask" else "boxes",
        points=settings.points,
        generator=generator,
        names=[f"video {clip.video_id}, {name}" for clip in clips],
    )
    device = layer.mask_logits.device
    orders = [objects.argsort() for _, objects in pairs]  # the same objects have the same places
    pairs = [
        (queries[order].to(device), objects[order].to(device))
        for (queries, objects), order in zip(pairs, orders, strict=True)
    ]
    logits = [of_clip[q] for of_clip, (q, _) in zip(layer.mask_logits, pairs, strict=True)]
    return Matched(pairs, full_precision(torch.cat(logits)))
