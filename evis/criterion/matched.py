"""A batch's queries, matched to its objects in every decoder layer, each clip on its own canvas."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
import torch
from torch import Tensor

from evis.criterion.targets import ToldBy, check_clips, pad, target_masks
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses.tensors import full_precision, moved
from evis.matching import WEIGHTS, Assigned, Weights, match_layers


@dataclass(frozen=True)
class Group:
    """B clips of one size, N objects in all, and what L decoder layers say of them."""

    clips: list[Clip]
    by: ToldBy  # what their objects are told by
    layers: list[ClipPrediction]  # as large as the clips, up to the stride; the last one last
    labels: Tensor  # (N,) long: the objects, one clip after another
    clip_of: Tensor  # (N,) long

    @property
    def size(self) -> tuple[int, int]:
        """H, W: the clips' canvas, which holds them to the last logit's pixels."""
        logits, stride = self.layers[-1].mask_logits, self.layers[-1].stride
        return stride * logits.shape[-2], stride * logits.shape[-1]

    @property
    def logits(self) -> list[tuple[Tensor, Tensor]]:
        """Of classes and masks, a layer each."""
        return [(layer.class_logits, layer.mask_logits) for layer in self.layers]

    @property
    def names(self) -> list[str]:
        """What errors call the clips."""
        return [f"video {clip.video_id}" for clip in self.clips]

    @property
    def counts(self) -> list[int]:
        """Objects a clip."""
        return [len(clip.labels) for clip in self.clips]

    @cached_property
    def targets(self) -> Tensor:
        """(N, T, H, W) bool: masks or filled boxes."""
        return target_masks(self.clips, self.by, self.size, self.labels.device)

    @property
    def frames(self) -> Tensor:
        """(B, T, 3, H, W) RGB, zeros where a clip ends within a logit's pixels."""
        frames = torch.stack([pad(clip.frames, self.size) for clip in self.clips])
        return frames.to(self.labels.device)


@dataclass(frozen=True)
class Matched:
    """M pairs of a query and an object, in those layers of a group that matched the same objects.

    In the order of the objects, so that each has one place in all layers. Layers differ only where
    a clip has more objects than there are queries.
    """

    group: Group
    layers: list[int]  # L of the group's
    queries: Tensor  # (L, M) long: rows of its (B * Q)
    objects: Tensor  # (M,) long

    @property
    def logits(self) -> Tensor:
        """(L, M, T, h, w) float32 at least: the masks of the queries."""
        masks = [self.group.layers[layer].mask_logits.flatten(0, 1) for layer in self.layers]
        rows = [
            x.index_select(0, of_layer) for x, of_layer in zip(masks, self.queries, strict=True)
        ]
        return full_precision(torch.stack(rows))

    @property
    def clip_of(self) -> Tensor:
        """(M,) long: the clip of each object."""
        return self.group.clip_of[self.objects]


def grouped(
    prediction: ClipPrediction, clips: Sequence[Clip], by: ToldBy, as_padded: bool
) -> list[Group]:
    """Clips of one size together, so that no loss depends on what a clip is padded to in its batch.

    as_padded: all of them together, on the canvas of their batch.
    """
    check_clips(clips, prediction, by)
    canvas, stride = tuple(prediction.mask_logits.shape[-2:]), prediction.stride
    sizes = [tuple(ceil(side / stride) for side in clip.frames.shape[-2:]) for clip in clips]
    sizes = [canvas] * len(clips) if as_padded else sizes
    groups = []
    for height, width in dict.fromkeys(sizes):
        members = [number for number, size in enumerate(sizes) if size == (height, width)]
        layers = []
        for layer in (*prediction.layers, prediction):
            classes, masks = layer.class_logits, layer.mask_logits[..., :height, :width]
            if len(members) < len(clips):
                classes, masks = (torch.stack([x[n] for n in members]) for x in (classes, masks))
            layers.append(ClipPrediction(classes, masks, stride=stride))
        own, device = [clips[number] for number in members], prediction.mask_logits.device
        clip_of = np.repeat(np.arange(len(own)), [len(clip.labels) for clip in own])
        groups.append(
            Group(
                clips=own,
                by=by,
                layers=layers,
                labels=moved(torch.cat([clip.labels for clip in own]), device),
                clip_of=moved(clip_of, device),
            )
        )
    return groups


def matched(
    group: Group,
    points: int,
    generator: torch.Generator | None = None,
    weights: Weights = WEIGHTS,
) -> list[Matched]:
    """All layers together or, where they leave out different objects, one by one."""
    labels = [clip.labels for clip in group.clips]
    found = match_layers(
        group.logits,
        list(zip(labels, group.targets.split(group.counts), strict=True)),
        group.by,
        points,
        generator,
        group.names,
        weights,
    )
    return in_layers(group, found)


def in_layers(group: Group, found: Sequence[Assigned]) -> list[Matched]:
    """What was assigned in each layer: all together or, where they leave out others, apart."""
    queries, objects = zip(*[_rows(pairs, group) for pairs in found], strict=True)
    together = all(np.array_equal(other, objects[0]) for other in objects)
    runs = [range(len(found))] if together else [[number] for number in range(len(found))]
    device = group.labels.device
    return [
        Matched(
            group,
            list(run),
            moved(np.stack([queries[number] for number in run]), device),
            moved(objects[run[0]], device),
        )
        for run in runs
    ]


def _rows(pairs: Assigned, group: Group) -> tuple[np.ndarray, np.ndarray]:
    """One layer's queries, rows of (B * Q), and objects, numbered through and in their order."""
    queries, objects, first = [], [], 0
    for clip, (of_clip, places) in enumerate(pairs):
        order = places.argsort()
        queries.append(clip * group.layers[0].class_logits.shape[1] + of_clip[order])
        objects.append(first + places[order])
        first += len(group.clips[clip].labels)
    return np.concatenate(queries), np.concatenate(objects)
