"""The training loss: match queries to objects in every decoder layer, then add up the terms.

Under masks the terms are class, BCE and dice (Mask2Former). Under boxes they are class, projection,
pairwise and temporal (Eigen-Cluster VIS, section III-E), and no mask is ever read:

    paper     total = class + Q^alpha (L_spatial + L_temporal)      the equation after Eq. 14
    released  total = Q^alpha (class + L_spatial + L_temporal)      what the published code does
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses import masks
from evis.losses.box_terms import box_terms
from evis.losses.matched import Matched, match_layer
from evis.losses.qcc import quality_cluster_coefficient
from evis.losses.settings import Settings
from evis.losses.targets import check_clips, target_masks
from evis.losses.tensors import full_precision
from evis.papers.eigencluster.temporal import Scheme


def criterion(
    prediction: ClipPrediction,
    clips: Sequence[Clip],
    settings: Settings,
    step: int = 0,
    generator: torch.Generator | None = None,
    scheme: Scheme | None = None,
) -> dict[str, Tensor]:
    """Every term by name, before its weight, and `total`, which is what to minimise.

    Terms of the last layer have plain names, those of earlier layer i end in `_i`. Beside the
    optimised ones (`Settings.weights`), under boxes: `tk` and `tel`, sums over the frame pairs of
    L_tk and L_eig, and `qcc`, the factor Q of the last layer's masks; neither TEL nor Q is computed
    where its beta or alpha is 0. Clips may be smaller than the padded batch they were predicted in;
    they lie in its upper left corner. A clip without objects has the class term only. `scheme`
    takes the place of TK and TEL in the temporal term (Table II).
    """
    layers = (*prediction.layers, prediction)
    _check(layers, settings)
    check_clips(clips, prediction, settings.supervision)
    device = prediction.mask_logits.device
    size = tuple(prediction.stride * side for side in prediction.mask_logits.shape[-2:])
    with torch.autocast(device.type, enabled=False):
        labels = [clip.labels.to(device) for clip in clips]
        targets = [target_masks(clip, settings.supervision, size, device) for clip in clips]
        matched = [
            match_layer(layer, clips, labels, targets, settings, generator, f"layer {number}")
            for number, layer in enumerate(layers)
        ]
        if settings.supervision == "mask":
            terms = [_mask_terms(m, targets, settings, generator) for m in matched]
        else:
            terms = box_terms(matched, clips, targets, prediction.stride, settings, step, scheme)
        for layer, m, of_layer in zip(layers, matched, terms, strict=True):
            of_layer["class"] = _class_loss(layer.class_logits, labels, m, settings)
        found = dict(terms[-1])
        for number, of_layer in enumerate(terms[:-1]):
            found |= {f"{name}_{number}": value for name, value in of_layer.items()}
        if settings.supervision == "box" and settings.alpha:
            found["qcc"] = _quality(prediction, clips, settings)
        found["total"] = _total(terms, found.get("qcc", 1.0), settings)
    return found


def _total(
    layers: Sequence[dict[str, Tensor]], quality: Tensor | float, settings: Settings
) -> Tensor:
    sums = {
        name: weight * torch.stack([terms[name] for terms in layers]).sum()
        for name, weight in settings.weights.items()
    }
    classes = sums.pop("class")
    if settings.flavour == "released":
        return quality * (classes + sum(sums.values()))
    return classes + quality * sum(sums.values())


def _class_loss(
    class_logits: Tensor, labels: Sequence[Tensor], matched: Matched, settings: Settings
) -> Tensor:
    """Cross-entropy of all queries, a weighted mean: queries without an object count for less."""
    logits = full_precision(class_logits)
    no_object = logits.shape[-1] - 1
    wanted = torch.full(logits.shape[:2], no_object, device=logits.device)
    for row, of_clip, (queries, objects) in zip(wanted, labels, matched.pairs, strict=True):
        row[queries] = of_clip[objects]
    weight = logits.new_ones(logits.shape[-1])
    weight[no_object] = settings.no_object_weight
    return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), weight)


def _mask_terms(
    matched: Matched,
    targets: Sequence[Tensor],
    settings: Settings,
    generator: torch.Generator | None,
) -> dict[str, Tensor]:
    """BCE and dice on points, summed over an object's frames, a mean over objects."""
    logits, wanted = matched.logits.flatten(0, 1), matched.objects(targets).flatten(0, 1)
    points = masks.uncertain_points(logits, settings.points, generator=generator)
    logits, wanted = masks.sample_points(logits, points), masks.sample_points(wanted, points)
    objects = max(len(matched.logits), 1)
    return {
        "bce": masks.bce(logits, wanted).sum() / objects,
        "dice": masks.dice(logits, wanted).sum() / objects,
    }


def _quality(prediction: ClipPrediction, clips: Sequence[Clip], settings: Settings) -> Tensor:
    """Q, Eq. 3. A clip of fewer than two objects scores 0: its pixels need no clustering."""
    several = [number for number, clip in enumerate(clips) if len(clip.labels) > 1]
    if not several:
        return prediction.mask_logits.new_ones((), dtype=torch.float32)
    of_several = quality_cluster_coefficient(
        prediction.mask_logits[several],
        [len(clips[number].labels) for number in several],
        settings.scale,
        "soft" if settings.soft_qcc else settings.flavour,
    )
    return 1 + (of_several - 1) * len(several) / len(clips)


def _check(layers: Sequence[ClipPrediction], settings: Settings) -> None:
    if settings.supervision not in ("mask", "box") or settings.flavour not in ("paper", "released"):
        raise ValueError(
            f'supervision should be "mask" or "box" and flavour "paper" or "released", '
            f"got {settings.supervision!r} and {settings.flavour!r}"
        )
    shapes = {tuple(layer.mask_logits.shape) for layer in layers}
    if len(shapes) != 1 or len(next(iter(shapes))) != 5:
        raise ValueError(
            f"mask_logits should be (B, Q, T, h, w), alike in all layers, got {sorted(shapes)}"
        )
