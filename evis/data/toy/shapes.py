"""The toy classes: outlines of equal area, and how an outline wobbles and bends over time."""

from dataclasses import dataclass

import numpy as np

POINTS = 64  # points an outline; enough that a disc looks round at twice the default size
WOBBLES = np.array([2, 3, 5])  # boundary waves around an outline


def _on_circle(angles: np.ndarray, radius: float = 1.0) -> np.ndarray:
    return radius * np.stack([np.cos(angles), np.sin(angles)], -1)


def _regular(corners: int, start: float = 0.0, radius: float = 1.0) -> np.ndarray:
    return _on_circle(start + 2 * np.pi * np.arange(corners) / corners, radius)


def _star() -> np.ndarray:
    outer, inner = _regular(5, -np.pi / 2), _regular(5, -np.pi / 2 + np.pi / 5, 0.42)
    return np.stack([outer, inner], 1).reshape(-1, 2)


def _cross() -> np.ndarray:
    arm = np.array([(0.32, 1.0), (0.32, 0.32), (1.0, 0.32)])
    return np.concatenate([arm, arm[::-1] * (1, -1), arm * (-1, -1), arm[::-1] * (-1, 1)])


def _ring() -> np.ndarray:
    """One line around the outside, across the band, and back around the hole."""
    circle = _on_circle(np.linspace(0, 2 * np.pi, POINTS // 2))
    return np.concatenate([circle, 0.5 * circle[::-1]])


def _crescent() -> np.ndarray:
    """A disc without a smaller disc that reaches over its right side."""
    shift, radius = 0.55, 0.75
    x = (1 + shift**2 - radius**2) / (2 * shift)  # where the two circles cross
    outer = np.arctan2(np.sqrt(1 - x * x), x)
    inner = np.arctan2(np.sqrt(1 - x * x), x - shift)
    around = np.linspace(outer, 2 * np.pi - outer, POINTS // 2)
    back = np.linspace(2 * np.pi - inner, inner, POINTS // 2)[1:-1]
    return np.concatenate([_on_circle(around), _on_circle(back, radius) + (shift, 0)])


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], -1)


def _drop() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    return np.stack([np.cos(t), np.sin(t) * np.sin(t / 2) ** 1.5 * 0.95], -1)


_ARROW = [(1.2, 0), (0.2, 0.85), (0.2, 0.32), (-1, 0.32), (-1, -0.32), (0.2, -0.32), (0.2, -0.85)]
_BOLT = [(0.25, -1.2), (-0.6, 0.15), (-0.1, 0.15), (-0.35, 1.2), (0.6, -0.2), (0.08, -0.2)]
_CORNERS = {
    "disc": _regular(POINTS),
    "triangle": _regular(3, -np.pi / 2),
    "square": _regular(4, np.pi / 4),
    "star": _star(),
    "cross": _cross(),
    "ring": _ring(),
    "crescent": _crescent(),
    "heart": _heart(),
    "arrow": np.array(_ARROW),
    "drop": _drop(),
    "bolt": np.array(_BOLT),
}


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


SHAPES: dict[str, np.ndarray] = {  # name -> (POINTS, 2), x right, y down
    name: _normalise(_resample(corners)) for name, corners in _CORNERS.items()
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
