"""What losses ask of tensors and options, float32 at least, and one way to make maps smaller."""

from collections.abc import Collection, Sequence
from functools import reduce
from numbers import Integral
from typing import Literal

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

Flavour = Literal["paper", "released"]  # as a paper writes, or as its published code computes
FLAVOURS = ("paper", "released")


class TooSmall(ValueError):
    """Frames too small for what the settings ask of them."""


class Diverged(ValueError):
    """Numbers that are not finite reached a loss: training went wrong in a step before."""


def full_precision(values: Tensor) -> Tensor:
    """float64 as it is, anything else as float32, under autocast too."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def moved(values: ArrayLike | Tensor, device: torch.device) -> Tensor:
    """Numbers of the host on a device, which the host does not wait for."""
    return torch.as_tensor(values, device="cpu").to(device, non_blocking=True)


def is_far(values: Tensor) -> bool:
    """Whether the host has to wait until it can read these, as they lie on a GPU."""
    return values.device.type != "cpu"


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, T, H, W) -> (N, T, h, w) of this size, bilinear, float32 at least."""
    are_masks = not maps.is_floating_point()
    maps, scale = full_precision(maps), maps.shape[-1] // size[1]
    if maps.shape[-2:] == size:
        return maps
    if scale % 2 == 0 and maps.shape[-2:] == (scale * size[0], scale * size[1]):
        middle = scale // 2 - 1  # bilinear: the mean of a cell's four middle pixels, but faster
        if are_masks:
            return cell_means(maps, scale, range(middle, middle + 2))
        return F.avg_pool2d(maps[..., middle:, middle:], 2, stride=scale)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def cell_means(whole: Tensor, side: int, of: Sequence[int]) -> Tensor:
    """(..., h * side, w * side) whole numbers -> (..., h, w): means of these rows and columns.

    Sums of whole numbers are exact in any order; this one takes a CPU much less than pooling.
    """
    rows = full_precision(whole).unflatten(-2, (-1, side)).unbind(-2)
    columns = reduce(torch.add, rows[of[0] : of[-1] + 1]).unflatten(-1, (-1, side)).unbind(-1)
    return reduce(torch.add, columns[of[0] : of[-1] + 1]) / len(of) ** 2


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} should be one of {', '.join(choices)}, is {value!r}")


def check_finite(name: str, values: Tensor) -> None:
    if values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name} should be real numbers, are {values.dtype}")
    if values.numel() and not torch.stack(values.detach().aminmax()).isfinite().all():
        raise Diverged(f"{name} hold NaN or infinity: training diverged before this step")


def check_count(name: str, value: object, most: float = torch.inf) -> None:
    if not (isinstance(value, Integral) and 1 <= value <= most):  # numpy's whole numbers, too
        wanted = "from 1 on" if most == torch.inf else f"from 1 to {most:,}"
        raise ValueError(f"{name} should be a whole number {wanted}, is {value!r}")


def check_integers(name: str, values: Tensor) -> None:
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name} should be whole numbers, are {values.dtype}")


def check_shapes(**tensors: tuple[Tensor, str]) -> None:
    """ValueError unless every tensor has its axes, as in "... N T h w".

    A letter stands for one length in all of them, a number for itself, three dots for any axes.
    """
    lengths: dict[str, int] = {}
    for name, (tensor, text) in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{name} should be a torch.Tensor, is a {type(tensor).__name__}")
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
