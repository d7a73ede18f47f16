"""What boxes alone teach a mask: L_spatial and L_temporal (Eigen-Cluster VIS, section III-E)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from evis.data.clips import Clip
from evis.losses import boxinst, tel, tk
from evis.losses.matched import Matched
from evis.losses.settings import Settings
from evis.losses.targets import pad
from evis.losses.tk import Pairs
from evis.papers.eigencluster.temporal import Scheme


def box_terms(
    layers: Sequence[Matched],
    clips: Sequence[Clip],
    targets: Sequence[Tensor],
    stride: int,
    settings: Settings,
    step: int,
    scheme: Scheme | None,
) -> list[dict[str, Tensor]]:
    """Projection, pairwise and temporal term of every layer, and what the last is made of.

    targets: the boxes, filled, (N, T, H, W) a clip; a logit stands for stride x stride pixels.
    """
    size = tuple(targets[0].shape[-2:])
    device = targets[0].device
    frames = torch.stack([pad(clip.frames.to(device), size) for clip in clips])  # (B, T, 3, H, W)
    lab = boxinst.lab(frames.flatten(0, 1), stride, settings.flavour)
    color = boxinst.color_similarity(lab).unflatten(0, frames.shape[:2])  # (B, T, 8, h, w)
    pictures = lab.unflatten(0, frames.shape[:2])  # (B, T, 3, h, w)
    small = [boxinst.resize_boxes(of_clip, lab.shape[-2:]) for of_clip in targets]
    boxes = [layer.objects(small) for layer in layers]  # (M, T, h, w) each
    spatial = [
        _spatial(layer.logits, of_layer, layer.clips(color), settings)
        for layer, of_layer in zip(layers, boxes, strict=True)
    ]
    temporal = _temporal(layers, boxes, pictures, settings, scheme)
    factor = settings.temporal_factor * boxinst.warm_up(step, settings.warm_up_steps)
    for found in temporal:
        found["temporal"] = factor * found["temporal"]
    return [of_space | of_time for of_space, of_time in zip(spatial, temporal, strict=True)]


def _spatial(
    logits: Tensor, boxes: Tensor, similarity: Tensor, settings: Settings
) -> dict[str, Tensor]:
    """(M, T, h, w), (M, T, h, w), (M, T, 8, h, w): every frame is a picture of its own."""
    logits, boxes, similarity = (of.flatten(0, 1) for of in (logits, boxes, similarity))
    return {
        "projection": boxinst.projection_loss(logits, boxes),
        "pairwise": boxinst.pairwise_loss(logits, similarity, boxes, flavour=settings.flavour),
    }


def _temporal(
    layers: Sequence[Matched],
    boxes: Sequence[Tensor],
    pictures: Tensor,
    settings: Settings,
    scheme: Scheme | None,
) -> list[dict[str, Tensor]]:
    """Eq. 14, or another scheme's sum over frame pairs; left out where it counts for nothing."""
    pairs = _pairs(pictures.shape[1], settings.flavour)
    if not pairs or not settings.temporal_factor:
        return [{"temporal": layer.logits.new_zeros(())} for layer in layers]
    if scheme is None:
        return _tk_and_tel(layers, boxes, pictures, pairs, settings)
    return [
        {"temporal": scheme(layer.logits, layer.clips(pictures), of_layer, pairs).sum()}
        if len(of_layer)
        else {"temporal": layer.logits.sum()}
        for layer, of_layer in zip(layers, boxes, strict=True)
    ]


def _pairs(frames: int, flavour: str) -> Pairs:
    if frames < 2:
        return []
    return tel.cyclic_pairs(frames) if flavour == "paper" else tel.all_pairs(frames)


def _tk_and_tel(
    layers: Sequence[Matched],
    boxes: Sequence[Tensor],
    pictures: Tensor,
    pairs: Pairs,
    settings: Settings,
) -> list[dict[str, Tensor]]:
    """Eqs. 10-14. Patches are searched once for all layers, and all spectra are found at once."""
    patches = [tk.patch_similarity(pictures[:, a], pictures[:, b]) for a, b in pairs]
    spectra = _spectra(layers, settings) if settings.beta else None
    terms = []
    for number, (layer, of_layer) in enumerate(zip(layers, boxes, strict=True)):
        alike = [layer.clips(similarity) for similarity in patches]  # (M, 9, h, w) each
        l_tk = tk.tk_loss(layer.logits, alike, of_layer, pairs, flavour=settings.flavour)
        if spectra is None:
            terms.append({"tk": l_tk.sum(), "temporal": l_tk.sum()})
            continue
        l_eig = tel.eigenvalue_loss(spectra[number], pairs, settings.flavour)
        temporal = tel.temporal_loss(l_tk, l_eig, settings.beta)
        terms.append({"tk": l_tk.sum(), "tel": l_eig.sum(), "temporal": temporal})
    return terms


def _spectra(layers: Sequence[Matched], settings: Settings) -> Tensor:
    """(layers, M, T, Y)."""
    logits = torch.stack([layer.logits for layer in layers])
    solver = "secular" if settings.flavour == "paper" else "released"
    values = tel.eigenvalues(logits.flatten(0, 1), settings.eigenvalues, settings.scale, solver)
    return values.unflatten(0, logits.shape[:2])
