"""The toy classes: outlines of equal area, and how an outline wobbles and bends over time."""

from dataclasses import dataclass

import numpy as np

POINTS = 64  # points an outline; enough that a disc looks round at twice the default size
WOBBLES = np.array([2, 3, 5])  # boundary waves around an outline


def _circle(radius: float, count: int, start: float = 0.0) -> np.ndarray:
    angles = start + 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angles), np.sin(angles)], -1)


def _disc() -> np.ndarray:
    return _circle(1.0, POINTS)


def _triangle() -> np.ndarray:
    return _circle(1.0, 3, -np.pi / 2)


def _square() -> np.ndarray:
    return _circle(1.0, 4, np.pi / 4)


def _star() -> np.ndarray:
    outer, inner = _circle(1.0, 5, -np.pi / 2), _circle(0.42, 5, -np.pi / 2 + np.pi / 5)
    return np.stack([outer, inner], 1).reshape(-1, 2)


def _cross() -> np.ndarray:
    a, b = 0.32, 1.0
    return np.array(
        [(a, b), (a, a), (b, a), (b, -a), (a, -a), (a, -b)]
        + [(-a, -b), (-a, -a), (-b, -a), (-b, a), (-a, a), (-a, b)]
    )


def _ring() -> np.ndarray:
    """One line around the outside, across the band, and back around the hole."""
    angles = np.linspace(0, 2 * np.pi, POINTS // 2)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    return np.concatenate([circle, 0.5 * circle[::-1]])


def _crescent() -> np.ndarray:
    """A disc without a smaller disc that reaches over its right side."""
    shift, radius = 0.55, 0.75
    x = (1 + shift**2 - radius**2) / (2 * shift)  # where the two circles cross
    outer_angle = np.arctan2(np.sqrt(1 - x * x), x)
    inner_angle = np.arctan2(np.sqrt(1 - x * x), x - shift)
    outer = np.linspace(outer_angle, 2 * np.pi - outer_angle, POINTS // 2)
    inner = np.linspace(2 * np.pi - inner_angle, inner_angle, POINTS // 2)[1:-1]
    return np.concatenate(
        [
            np.stack([np.cos(outer), np.sin(outer)], -1),
            np.stack([shift + radius * np.cos(inner), radius * np.sin(inner)], -1),
        ]
    )


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], -1)


def _arrow() -> np.ndarray:
    return np.array(
        [(1.2, 0), (0.2, 0.85), (0.2, 0.32), (-1, 0.32), (-1, -0.32), (0.2, -0.32), (0.2, -0.85)]
    )


def _drop() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    return np.stack([np.cos(t), np.sin(t) * np.sin(t / 2) ** 1.5 * 0.95], -1)


def _bolt() -> np.ndarray:
    return np.array(
        [(0.25, -1.2), (-0.6, 0.15), (-0.1, 0.15), (-0.35, 1.2), (0.6, -0.2), (0.08, -0.2)]
    )


def _resample(corners: np.ndarray) -> np.ndarray:
    """(corners, 2) -> (POINTS, 2): corners stay, the other points are spread along the edges."""
    edges = np.roll(corners, -1, 0) - corners
    lengths = np.hypot(*edges.T)
    counts = np.ones(len(corners), int)
    while counts.sum() < POINTS:
        counts[np.argmax(lengths / counts)] += 1
    steps = [
        start + edge * np.arange(count)[:, None] / count
        for start, edge, count in zip(corners, edges, counts, strict=True)
    ]
    return np.concatenate(steps)


def _normalise(outline: np.ndarray) -> np.ndarray:
    """Area one, centroid at the origin."""
    (x, y), (nx, ny) = outline.T, np.roll(outline, -1, 0).T
    cross = x * ny - nx * y
    area = cross.sum() / 2
    centroid = np.array([((x + nx) * cross).sum(), ((y + ny) * cross).sum()]) / (6 * area)
    return (outline - centroid) / np.sqrt(abs(area))


_DRAWN = {
    "disc": _disc,
    "triangle": _triangle,
    "square": _square,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "crescent": _crescent,
    "heart": _heart,
    "arrow": _arrow,
    "drop": _drop,
    "bolt": _bolt,
}
SHAPES: dict[str, np.ndarray] = {  # name -> (POINTS, 2), x right, y down
    name: _normalise(_resample(draw())) for name, draw in _DRAWN.items()
}


@dataclass(frozen=True)
class Deformation:
    """How N outlines change over time. Rates are radians a frame; waves are those of `WOBBLES`."""

    stretch: np.ndarray  # (N,) width over height, area kept
    wobble: np.ndarray  # (N, waves) relative amplitude
    wobble_rate: np.ndarray  # (N, waves)
    wobble_phase: np.ndarray  # (N, waves)
    bend: np.ndarray  # (N,) strength of bending into an arc
    bend_rate: np.ndarray  # (N,)
    bend_phase: np.ndarray  # (N,)

    def apply(self, outlines: np.ndarray, times: np.ndarray) -> np.ndarray:
        """(N, P, 2) at (S,) times -> (N, S, P, 2)."""
        sides = np.stack([np.sqrt(self.stretch), 1 / np.sqrt(self.stretch)], -1)  # (N, 2)
        points = outlines * sides[:, None]
        around = np.arctan2(points[..., 1], points[..., 0])  # (N, P)
        phase = self.wobble_rate[:, None] * times[:, None] + self.wobble_phase[:, None]
        waves = np.sin(WOBBLES * around[:, None, :, None] + phase[:, :, None])  # (N, S, P, waves)
        swell = 1 + (self.wobble[:, None, None] * waves).sum(-1)
        points = points[:, None] * swell[..., None]
        bend = self.bend[:, None] * np.sin(
            self.bend_rate[:, None] * times + self.bend_phase[:, None]
        )
        arc = bend[..., None] * (points[..., 0] ** 2 - 0.1)  # 0.1: about the mean of x squared
        points[..., 1] += arc
        return points
