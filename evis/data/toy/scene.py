"""The toy world: objects, posts and backdrops in depth order under a moving camera, no colours yet.

A scene is drawn in two steps. What moves, and how it deforms, comes first; then layouts of the
objects are tried until the visible parts' boxes overlap as much as the video was asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np

from evis.data.boxes import mbor
from evis.data.toy.motion import Camera, Motion, View, drifting, rotation
from evis.data.toy.shapes import POINTS, SHAPES, WOBBLES, Deformation
from evis.data.toy.spec import ToySpec

DRAWS, BISECTIONS = 8, 6  # layouts tried at most for one video
CLOSE_ENOUGH = 0.006  # MBOR
FINE = 5  # label maps are painted this many times finer; odd, so that a cell has a middle
FIXED_POINT = 4  # binary digits below a pixel that OpenCV's polygons are given


@dataclass(frozen=True)
class Cast:
    """N figures from far to near, all arrays with N rows: outlines, how they deform and move."""

    outlines: np.ndarray  # (N, P, 2)
    deformation: Deformation
    log_size: Motion  # (N,)
    angle: Motion  # (N,)
    place: Motion  # (N, 2) in the world
    parallax: float  # 1 moves with the ground, more lies nearer to the camera

    def turns(self, times: np.ndarray) -> np.ndarray:
        """(N, S, 2, 2): rotation and size at (S,) times."""
        turn = rotation(self.angle.at(times)) * np.exp(self.log_size.at(times))[..., None, None]
        return np.swapaxes(turn, 0, 1)

    def places(self, times: np.ndarray) -> np.ndarray:
        """(N, S, 2) in the world."""
        return np.swapaxes(self.place.at(times), 0, 1)

    def poses(self, times: np.ndarray) -> np.ndarray:
        """(N, S, P, 2) outlines at (S,) times, each about its own place."""
        points = self.deformation.apply(self.outlines, times)
        return points @ np.swapaxes(self.turns(times), -1, -2)

    def outlines_in(self, view: View) -> np.ndarray:
        """(N, S, P, 2) in frame heights about the middle of the frame."""
        if not len(self.outlines):  # as often of posts and backdrops
            return np.zeros((0, len(view.times), *self.outlines.shape[1:]))
        world = self.poses(view.times) + self.places(view.times)[:, :, None]
        return view.of(world, self.parallax)


@dataclass(frozen=True)
class Scene:
    """One video before it is coloured."""

    spec: ToySpec
    length: int
    camera: Camera
    shapes: tuple[str, ...]  # one an object, from far to near
    objects: Cast
    backdrops: Cast
    posts: Cast
    posts_before: int  # posts hide the first so many objects, the nearer ones pass in front
    shown: np.ndarray  # (N,) bool: objects that no layout brought into view are left out

    @property
    def times(self) -> np.ndarray:
        return np.arange(self.length, dtype=float)

    def labels(self) -> np.ndarray:
        """(T, h, w) uint8: 1 + the number of the object seen in a pixel's middle, 0 for none."""
        view = self.camera.at(self.times)
        return self.paint(*(self.cells(c.outlines_in(view)) for c in (self.objects, self.posts)))

    def in_depth_order(self, objects: Sequence, posts: Sequence) -> list[tuple[int, Any]]:
        """What belongs to each object and post, from far to near, with its label: 0 for posts."""
        layers = [(n, item) for n, item in enumerate(objects, 1) if self.shown[n - 1]]
        before = int(self.shown[: self.posts_before].sum())
        return layers[:before] + [(0, item) for item in posts] + layers[before:]

    def cells(self, outlines: np.ndarray) -> np.ndarray:
        """Outlines on the grid that labels are painted on."""
        return polygon(outlines, self.spec.size, FINE)

    def paint(self, objects: np.ndarray, posts: np.ndarray) -> np.ndarray:
        """Labels (T, h, w) from `cells` (N, T, P, 2)."""
        height, width = self.spec.size
        layers = self.in_depth_order(objects, posts)
        labels = np.empty((self.length, height, width), np.uint8)
        canvas = np.empty((height * FINE, width * FINE), np.uint8)
        for t in range(self.length):
            canvas[:] = 0
            for number, outlines in layers:
                cv2.fillPoly(canvas, outlines[t : t + 1], number, shift=FIXED_POINT)
            labels[t] = canvas[FINE // 2 :: FINE, FINE // 2 :: FINE]
        return labels


def polygon(
    points: np.ndarray, size: tuple[int, int], fine: int = 1, corner: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Points in frame heights about the middle -> OpenCV fixed point on a grid `fine` a pixel.

    `corner` is the pixel x, y where the grid begins.
    """
    height, width = size
    pixels = points * height + (width / 2, height / 2) - corner
    return np.rint((pixels * fine - 0.5) * 2**FIXED_POINT).astype(np.int32)


def visible_boxes(labels: np.ndarray, count: int, least: float) -> tuple[np.ndarray, np.ndarray]:
    """(T, h, w) labels -> (count, T, 4) boxes x, y, width, height, and (count, T) pixels seen.

    Where fewer than `least` pixels are seen, box and pixel count are zero.
    """
    seen = (labels == np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None]).view(np.uint8)
    areas = np.array([[cv2.countNonZero(mask) for mask in masks] for masks in seen])
    areas[areas < least] = 0
    boxes = np.array([[cv2.boundingRect(mask) for mask in masks] for masks in seen])
    return boxes * (areas > 0)[..., None], areas


def compose(rng: np.random.Generator, spec: ToySpec, count: int, overlap: float) -> Scene:
    """A scene of `count` objects whose visible boxes overlap by about this MBOR."""
    length = int(rng.integers(spec.frames[0], spec.frames[1], endpoint=True))
    camera = _camera(rng, spec, length)
    kinds = [shape for shape, _ in spec.classes]
    shapes = tuple(kinds[k] for k in rng.integers(len(kinds), size=count))
    backdrops = rng.integers(spec.backdrops, endpoint=True)
    posts = int(rng.random() < spec.posts)
    scene = Scene(
        spec=spec,
        length=length,
        camera=camera,
        shapes=shapes,
        objects=_objects(rng, spec, shapes, length),
        backdrops=_scenery(rng, spec, int(backdrops), post=False) if backdrops else _bare(spec),
        posts=_scenery(rng, spec, posts, post=True) if posts else _bare(spec),
        posts_before=int(rng.integers(count, endpoint=True)),
        shown=np.ones(count, bool),
    )
    return _lay_out(rng, scene, overlap)


def _camera(rng: np.random.Generator, spec: ToySpec, length: int) -> Camera:
    direction = rng.uniform(-np.pi, np.pi)
    pan = spec.pan * rng.random() ** 2 * np.array([np.cos(direction), np.sin(direction)])
    shaky = spec.shake * rng.random() ** 2
    middle = (length - 1) / 2
    return Camera(
        centre=drifting(rng, np.zeros(2), shaky, (3.0, 8.0), rate=pan, when=middle),
        zoom=drifting(rng, 0.0, spec.zoom * rng.random(), (16.0, 40.0)),
        roll=drifting(rng, 0.0, spec.roll * rng.random(), (12.0, 40.0)),
    )


def _deformation(
    rng: np.random.Generator, count: int, stretch: float, wobble: float, bend: float
) -> Deformation:
    waves = (count, len(WOBBLES))
    return Deformation(
        stretch=np.exp(rng.uniform(-stretch, stretch, count)),
        wobble=wobble * rng.dirichlet(np.ones(len(WOBBLES)), count) * rng.random((count, 1)),
        wobble_rate=2 * np.pi / rng.uniform(5, 20, waves),
        wobble_phase=rng.uniform(0, 2 * np.pi, waves),
        bend=bend * rng.random(count),
        bend_rate=2 * np.pi / rng.uniform(8, 24, count),
        bend_phase=rng.uniform(0, 2 * np.pi, count),
    )


def _objects(rng: np.random.Generator, spec: ToySpec, shapes: tuple[str, ...], length: int) -> Cast:
    count = len(shapes)
    size = rng.uniform(*np.log(spec.object_size), count)
    start = rng.uniform(-spec.pose, spec.pose, count)
    spin = spec.spin * rng.uniform(-1, 1, count) * (rng.random(count) < 0.7)
    middle = (length - 1) / 2
    return Cast(
        outlines=np.stack([SHAPES[shape] for shape in shapes]),
        deformation=_deformation(rng, count, spec.stretch, spec.wobble, spec.bend),
        log_size=drifting(rng, size, spec.growth * rng.random(count), (8.0, 30.0)),
        angle=drifting(rng, start, 0.15 * spec.spin, (4.0, 12.0), rate=spin, when=middle),
        place=drifting(rng, np.zeros((count, 2)), 0.03, (6.0, 20.0)),
        parallax=1.0,
    )


def _scenery(rng: np.random.Generator, spec: ToySpec, count: int, post: bool) -> Cast:
    """Posts are long wavy bars; backdrops everything below a wavy line. Both stand still."""
    aspect = spec.size[1] / spec.size[0]
    along = np.linspace(-4, 4, POINTS // 2)
    across = rng.uniform(0.05, 0.09, (count, 1)) if post else np.full((count, 1), 4.0)
    wave = rng.uniform(0, 0.05, (count, 1)) * np.sin(
        along * rng.uniform(3, 9, (count, 1)) + rng.uniform(0, 6, (count, 1))
    )
    upper = np.stack([np.broadcast_to(along, wave.shape), wave - across * post], -1)
    lower = np.stack([np.broadcast_to(along, wave.shape), 0.6 * wave + across], -1)[:, ::-1]
    angle = rng.normal(np.pi / 2 if post else 0.0, 0.25, count)
    place = rng.uniform(-0.4, 0.4, (count, 2)) * (aspect, 1.0)
    still = 0.0, (8.0, 30.0)  # no sway; the periods are drawn all the same
    return Cast(
        outlines=np.concatenate([upper, lower], 1).reshape(count, POINTS, 2),
        deformation=_deformation(rng, count, 0.0, 0.0, 0.0),
        log_size=drifting(rng, np.zeros(count), *still),
        angle=drifting(rng, angle, *still),
        place=drifting(rng, place, *still),
        parallax=1.3 if post else 1.0,
    )


@cache
def _bare(spec: ToySpec) -> Cast:
    """No scenery at all, for which nothing is drawn from a generator of random numbers."""
    return _scenery(np.random.default_rng(), spec, 0, post=False)


def _lay_out(rng: np.random.Generator, scene: Scene, wanted: float) -> Scene:
    """Search for a layout with the wanted overlap in which every object is seen.

    One draw of spots and speeds is crowded or spread by bisection; where that does not lead there,
    another one is drawn. The closest layout met on the way is kept.
    """
    best, best_cost = (scene.objects.place, scene.shown), np.inf
    times, view = scene.times, scene.camera.at(scene.times)
    posts = scene.cells(scene.posts.outlines_in(view))
    turn = np.swapaxes(view.turn, 1, 2)
    poses = scene.objects.poses(times) @ turn
    whole = _polygon_areas(poses) * scene.spec.size[0] ** 2  # pixels, wherever it lies
    for _ in range(DRAWS):
        place, focus = _places(rng, scene)
        paths = np.swapaxes(place.at(times), 0, 1) - place.value[:, None] - view.centre  # (N, T, 2)
        crowded, spread_out = 0.1, 1.1
        for _ in range(BISECTIONS):
            spread = (crowded + spread_out) / 2
            spots = focus + spread * (place.value - focus)
            outlines = poses + (spots[:, None] + paths)[:, :, None] @ turn
            labels = scene.paint(scene.cells(outlines), posts)
            shown, overlap = _judge(labels, whole, scene.spec)
            cost = abs(overlap - wanted) + (~shown).sum()
            if cost < best_cost:
                best, best_cost = (replace(place, value=spots), shown), cost
            if best_cost < CLOSE_ENOUGH:
                break
            crowded, spread_out = (spread, spread_out) if overlap > wanted else (crowded, spread)
        if best_cost < CLOSE_ENOUGH:
            break
    return replace(scene, objects=replace(scene.objects, place=best[0]), shown=best[1])


def _places(rng: np.random.Generator, scene: Scene) -> tuple[Motion, np.ndarray]:
    """Paths through spots of a frame, alone or as a group, and the point to crowd them about."""
    spec, count = scene.spec, len(scene.shapes)
    aspect = spec.size[1] / spec.size[0]
    spots = rng.uniform(-0.5, 0.5, (8, count, 2)) * (aspect, 1.0)
    gaps = np.linalg.norm(spots[:, :, None] - spots[:, None], axis=-1) + 9 * np.eye(count)
    spots = spots[gaps.min((1, 2)).argmax()]  # the one of eight that keeps objects furthest apart
    focus = rng.uniform(-0.25, 0.25, 2) * (aspect, 1.0)
    together = rng.random()
    direction = rng.uniform(-np.pi, np.pi, count + 1)
    speed = rng.uniform(*spec.speed, count + 1)
    rates = speed[:, None] * np.stack([np.cos(direction), np.sin(direction)], -1)
    rates = together * rates[0] + (1 - together) * rates[1:]
    rates = rates + rng.random() * scene.camera.centre.rate  # the camera follows objects, in part
    rates = rates * (rng.random((count, 1)) >= spec.resting)
    when = rng.uniform(0, scene.length - 1, (count, 1))
    seen_from = scene.camera.centre.rate * (when - scene.camera.centre.when)
    return replace(scene.objects.place, value=spots + seen_from, rate=rates, when=when), focus


def _judge(labels: np.ndarray, whole: np.ndarray, spec: ToySpec) -> tuple[np.ndarray, float]:
    """Which objects, of (N, T) `whole` pixels, are seen well enough to be annotated, and the MBOR
    of the visible boxes."""
    pixels = labels[0].size
    boxes, areas = visible_boxes(labels, len(whole), spec.least_piece * pixels)
    shown = ((areas >= spec.least_visible * whole) & (areas >= spec.least_area * pixels)).any(1)
    return shown, mbor(boxes.swapaxes(0, 1))


def _polygon_areas(outlines: np.ndarray) -> np.ndarray:
    x, y = outlines[..., 0], outlines[..., 1]
    following = np.concatenate([outlines[..., 1:, :], outlines[..., :1, :]], -2)
    return abs((x * following[..., 1] - y * following[..., 0]).sum(-1)) / 2
