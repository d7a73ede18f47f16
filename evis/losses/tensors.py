"""What losses ask of tensors: their shapes, finite numbers, and float32 at least."""

import torch
from torch import Tensor


def full_precision(values: Tensor) -> Tensor:
    """float64 as it is, anything else as float32, under autocast too."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


class Diverged(ValueError):
    """Numbers that are not finite reached a loss: training went wrong in a step before."""


def check_finite(name: str, values: Tensor) -> None:
    if values.numel() and not torch.stack(values.detach().aminmax()).isfinite().all():
        raise Diverged(f"{name} hold NaN or infinity: training diverged before this step")


def check_shapes(**tensors: tuple[Tensor, str]) -> None:
    """ValueError unless every tensor has its axes, as in "... N T h w".

    A letter stands for one length in all of them, a number for itself, three dots for any axes.
    """
    lengths: dict[str, int] = {}
    for name, (tensor, text) in tensors.items():
        axes = text.removeprefix("... ").split()
        shape = tensor.shape[-len(axes) :] if text.startswith("...") else tensor.shape
        if len(shape) == len(axes):
            wanted = [
                int(axis) if axis.isdigit() else lengths.setdefault(axis, length)
                for axis, length in zip(axes, shape, strict=True)
            ]
        if len(shape) != len(axes) or wanted != list(shape):
            known = "".join(f", {axis} = {lengths[axis]}" for axis in axes if axis in lengths)
            raise ValueError(
                f"{name} should be ({', '.join(text.split())}){known}, got {tuple(tensor.shape)}"
            )
