"""Clips and predictions that the tests of losses share; tensors lie on `DEVICE`."""

import torch
import torch.nn.functional as F

from evis.criterion.targets import fill_boxes
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip

CLASSES = 5
LATE = 10_000  # a step after any warm-up
DEVICE = torch.device("cpu")  # `--device`, see conftest


def clip(video_id=7, objects=2, frames=3, height=64, width=80, seed=0) -> Clip:
    """On the CPU, as a data set gives them, with boxes and masks that fill them."""
    g = torch.Generator().manual_seed(seed)
    # A coarse pattern that stays in place: neighbours and frames have patches that match.
    coarse = torch.randint(256, (1, 3, height // 16, width // 16), generator=g).float()
    shades = 6 * torch.rand(1, 3, height // 4, width // 4, generator=g)
    picture = sum(F.interpolate(p, (height, width)) for p in (coarse, shades))
    picture = picture.clamp(0, 255).to(torch.uint8)
    corner = 0.6 * torch.rand(objects, 1, 2, generator=g)
    size = 0.2 + 0.2 * torch.rand(objects, 1, 2, generator=g)
    boxes = torch.cat((corner, corner + size), -1).repeat(1, frames, 1)
    boxes = boxes * torch.tensor([width, height, width, height])
    visible = torch.ones(objects, frames, dtype=torch.bool)
    return Clip(
        frames=picture.repeat(frames, 1, 1, 1),
        video_id=video_id,
        frame_indices=tuple(range(frames)),
        track_ids=tuple(range(objects)),
        labels=torch.randperm(CLASSES, generator=g)[:objects],
        visible=visible,
        boxes=boxes,
        masks=fill_boxes(boxes, visible, (height, width)),
    )


def prediction(batch=1, queries=6, frames=3, height=16, width=20, layers=2, seed=1):
    """Noise, a leaf that needs a gradient in every layer."""
    g = torch.Generator().manual_seed(seed)

    def leaf(*shape):
        return torch.randn(shape, generator=g).to(DEVICE).requires_grad_()

    def one(earlier=()):
        masks = leaf(batch, queries, frames, height, width)
        return ClipPrediction(leaf(batch, queries, CLASSES + 1), masks, earlier)

    return one(tuple(one() for _ in range(layers)))


def all_layers(predicted: ClipPrediction) -> tuple[ClipPrediction, ...]:
    return (*predicted.layers, predicted)


def changed(predicted: ClipPrediction, change) -> ClipPrediction:
    """Every layer's class and mask logits as `change` has them, leaves again."""

    def one(layer, earlier=()):
        classes, masks = change(layer.class_logits.detach(), layer.mask_logits.detach())
        classes, masks = (x.clone().requires_grad_() for x in (classes, masks))
        return ClipPrediction(classes, masks, earlier)

    return one(predicted, tuple(one(layer) for layer in predicted.layers))


def padded(predicted: ClipPrediction, height: int, width: int) -> ClipPrediction:
    """On a canvas this much larger, with noise beyond the old one."""

    def change(classes, masks):
        wider = F.pad(masks, (0, width, 0, height))
        beyond = F.pad(torch.zeros_like(masks), (0, width, 0, height), value=1.0)
        noise = torch.randn(wider.shape, generator=torch.Generator().manual_seed(9)).to(DEVICE)
        return classes, wider + 5 * beyond * noise

    return changed(predicted, change)


def part(predicted: ClipPrediction, clips: list[int]) -> ClipPrediction:
    """Of these clips alone."""
    return changed(predicted, lambda classes, masks: (classes[clips], masks[clips]))


def gradients(predicted: ClipPrediction) -> list[torch.Tensor]:
    """Of all layers; zeros where nothing came."""
    leaves = [x for layer in all_layers(predicted) for x in (layer.class_logits, layer.mask_logits)]
    return [torch.zeros_like(x) if x.grad is None else x.grad for x in leaves]


def fix_points(monkeypatch) -> None:
    """The same points for every mask and clip, whatever its place in the batch."""
    from evis import matching
    from evis.losses import masks

    fixed = torch.rand(1, 200, 2, generator=torch.Generator().manual_seed(3)).to(DEVICE)

    def uncertain(logits, count, generator=None):
        return fixed.expand(len(logits), -1, -1)

    monkeypatch.setattr(masks, "uncertain_points", uncertain)
    monkeypatch.setattr(matching, "random_points", lambda rows, *_: fixed.expand(rows, -1, -1))
