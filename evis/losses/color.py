"""From sRGB to CIE LAB, where distances between colours are about as large as they look."""

import torch
from torch import Tensor

# Linear sRGB to CIE XYZ under D65, and that white (IEC 61966-2-1; CIE 15, two-degree observer).
_XYZ_OF_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """(..., 3, h, w) in 0..255 -> the same shape: L in 0..100, a and b about -110..110.

    Computed in float64, returned in float32 at least: losses take exponentials of its differences.
    """
    exact = rgb.double() / 255
    linear = torch.where(exact > 0.04045, ((exact + 0.055) / 1.055) ** 2.4, exact / 12.92)
    red, green, blue = linear.unbind(-3)
    rows = zip(_XYZ_OF_RGB, _WHITE, strict=True)
    xyz = torch.stack([(r * red + g * green + b * blue) / white for (r, g, b), white in rows], -3)
    x, y, z = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(-3)
    lab = torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)
    return lab.to(torch.promote_types(rgb.dtype, torch.float32))
