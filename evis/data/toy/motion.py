"""Smooth motion in closed form, so that any moment, also between two frames, can be asked for."""

from dataclasses import dataclass

import numpy as np

_SHARE = np.array([0.7, 0.3])  # of a sway that either wave has


@dataclass(frozen=True)
class Motion:
    """value + rate * (t - when) + sum over two waves of sway * sin(frequency * t + phase).

    Any shape works: (N, 2) positions, (N,) angles, () gains. `when` has the shape of `value`, or
    one that broadcasts to it; `sway`, `frequency` and `phase` have one more axis, the waves.
    """

    value: np.ndarray
    rate: np.ndarray
    when: np.ndarray
    sway: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray

    def at(self, times: np.ndarray) -> np.ndarray:
        """(S,) times -> (S, *shape of value)."""
        t = times.reshape(-1, *[1] * np.ndim(self.value))
        waves = self.sway * np.sin(self.frequency * t[..., None] + self.phase)
        return self.value + self.rate * (t - self.when) + (waves[..., 0] + waves[..., 1])


def drifting(
    rng: np.random.Generator,
    value: np.ndarray | float,
    sway: np.ndarray | float,
    periods: tuple[float, float],
    rate: np.ndarray | float = 0.0,
    when: float = 0.0,
) -> Motion:
    """A motion with two waves of at most `sway` in sum; `periods` are in frames."""
    shape = np.shape(value)
    periods_drawn = rng.uniform(*periods, (*shape, 2))
    return Motion(
        value=np.asarray(value, float),
        rate=np.asarray(rate, float),
        when=np.asarray(when, float),
        sway=np.asarray(sway, float)[..., None] * _SHARE * np.ones((*shape, 2)),
        frequency=2 * np.pi / periods_drawn,
        phase=rng.uniform(0, 2 * np.pi, (*shape, 2)),
    )


@dataclass(frozen=True)
class Camera:
    """Where the camera looks (in frame heights), how far it zooms in (log) and how it rolls."""

    centre: Motion  # (2,)
    zoom: Motion  # ()
    roll: Motion  # ()

    def at(self, times: np.ndarray) -> "View":
        turn = rotation(self.roll.at(times)) * np.exp(self.zoom.at(times))[:, None, None]
        return View(times, self.centre.at(times), turn)


@dataclass(frozen=True)
class View:
    """What a camera shows at (S,) times."""

    times: np.ndarray
    centre: np.ndarray  # (S, 2) in the world
    turn: np.ndarray  # (S, 2, 2) roll and zoom

    def of(self, world: np.ndarray, parallax: float = 1.0) -> np.ndarray:
        """World points (N, S, P, 2) -> points about the middle of the frame."""
        return (world - parallax * self.centre[:, None]) @ np.swapaxes(self.turn, 1, 2)


def rotation(angles: np.ndarray) -> np.ndarray:
    """(...) radians -> (..., 2, 2)."""
    turns = np.empty((*np.shape(angles), 2, 2))
    turns[..., 0, 0] = turns[..., 1, 1] = np.cos(angles)
    turns[..., 1, 0] = np.sin(angles)
    turns[..., 0, 1] = -turns[..., 1, 0]
    return turns
