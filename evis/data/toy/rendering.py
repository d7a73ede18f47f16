"""Colours for a scene: textures, edges, shadows, then what light, lens and film do to a frame."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from evis.data.toy.motion import Motion, View, drifting
from evis.data.toy.scene import Cast, Scene, polygon
from evis.data.toy.shapes import SHAPES
from evis.data.toy.spec import ToySpec
from evis.data.toy.textures import Surface, coloured, like, pick

EDGE = 4  # outlines are filled this many times finer, so that edges are smooth
SMEAR = 1.5  # pixels that anything may move between two exposures of one frame
EXPOSURES = 5  # at most, for one frame


@dataclass(frozen=True)
class Film:
    """Light, lens and grain of one video."""

    shutter: float
    light: Motion  # () log brightness
    tint: Motion  # (3,)
    slope: Motion  # (2,) log brightness across a frame height
    defocus: Motion  # () blur in frame heights, none where negative


def render(rng: np.random.Generator, scene: Scene) -> np.ndarray:
    """-> frames (T, h, w, 3) uint8 RGB."""
    spec = scene.spec
    ground = pick(rng, spec)
    backdrops = [pick(rng, spec) for _ in scene.backdrops.outlines]
    camouflaged = rng.random(len(scene.shapes)) < spec.camouflage
    objects = [_surface(rng, spec, [ground, *backdrops], hidden) for hidden in camouflaged]
    dyes = rng.spawn(1)[0]
    for n, shape in enumerate(scene.shapes):
        if not camouflaged[n] and dyes.random() < spec.typical:
            objects[n] = _dyed(dyes, spec, objects[n], shape)
    of_posts = {"relief": 0.4, "shadow": spec.shadow, "softness": 0.05}
    posts = [replace(pick(rng, spec), **of_posts) for _ in scene.posts.outlines]
    film = _film(rng, spec)
    moments = _exposures(scene, film.shutter)
    view = scene.camera.at(moments.reshape(-1))
    ground_planes = _planes(spec, np.zeros((1, 1, 2)), np.eye(2)[None, None], view, 1.0)[0]
    whole = np.array([0, 0, *spec.size[::-1]])
    ground = ground.painted(ground_planes, whole[None])
    figures = scene.in_depth_order(
        _figures(spec, scene.objects, objects, view), _figures(spec, scene.posts, posts, view)
    )
    layers = _figures(spec, scene.backdrops, backdrops, view) + [figure for _, figure in figures]
    frames = np.empty((scene.length, *spec.size, 3), np.uint8)
    per_frame = moments.shape[1]
    for t in range(scene.length):
        exposed = np.zeros((*spec.size, 3), np.float32)
        for s in range(t * per_frame, (t + 1) * per_frame):
            canvas = ground.draw(ground_planes[s], whole).astype(np.float32)
            for surface, outlines, planes, boxes in layers:
                _draw(canvas, surface, outlines[s], planes[s], boxes[s])
            exposed += canvas
        frames[t] = _develop(rng, spec, film, exposed / per_frame, float(t))
    return frames


def _surface(
    rng: np.random.Generator, spec: ToySpec, surroundings: list[Surface], camouflaged: bool
) -> Surface:
    if camouflaged:
        around = surroundings[rng.integers(len(surroundings))]
        surface = like(rng, around, spec.camouflage_shift)
    else:
        surface = pick(rng, spec)
    relief, shadow = spec.relief * rng.random(), spec.shadow * rng.random()
    return replace(surface, relief=relief, shadow=shadow, softness=0.04)


def _dyed(rng: np.random.Generator, spec: ToySpec, surface: Surface, shape: str) -> Surface:
    """As in real sets, a class shows in its colour too: each shape has a hue of its own."""
    hue = 2 * np.pi * list(SHAPES).index(shape) / len(SHAPES)
    return coloured(surface, rng.normal(hue, spec.typical_spread), spec.typical_chroma)


def _film(rng: np.random.Generator, spec: ToySpec) -> Film:
    light = spec.light * rng.random()
    angle = rng.uniform(-np.pi, np.pi)
    slope = spec.light * rng.random() * np.array([np.cos(angle), np.sin(angle)])
    unsharp = spec.defocus * (rng.random() < spec.unsharp)
    return Film(
        shutter=spec.shutter * rng.random(),
        light=drifting(rng, 0.0, light, (4.0, 24.0)),
        tint=drifting(rng, np.zeros(3), spec.tint * rng.random(), (8.0, 30.0)),
        slope=drifting(rng, slope, slope, (8.0, 30.0)),
        defocus=drifting(rng, 0.0, unsharp, (8.0, 24.0)),
    )


def _exposures(scene: Scene, shutter: float) -> np.ndarray:
    """(T, E) moments about every frame, so close that nothing moves by much between two."""
    height, width = scene.spec.size
    times = scene.times
    if not shutter:
        return times[:, None]
    ends = np.stack([times, times + shutter], -1).reshape(-1)
    view = scene.camera.at(ends)
    objects = scene.objects.outlines_in(view)
    corners = np.array([(x, y) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) * (width / height, 1)
    ground = corners + view.centre[::2].repeat(2, 0)[:, None]  # seen at each start
    longest = height * max(
        np.linalg.norm(seen[:, 1::2] - seen[:, ::2], axis=-1).max()
        for seen in (objects, view.of(ground[None]))
    )
    count = int(np.clip(np.ceil(longest / SMEAR), 1, EXPOSURES))
    return times[:, None] + shutter * ((np.arange(count) + 0.5) / count - 0.5)


def _figures(
    spec: ToySpec, cast: Cast, surfaces: list[Surface], view: View
) -> list[tuple[Surface, np.ndarray, np.ndarray, np.ndarray]]:
    """One (surface, outlines (S, P, 2) in frame heights, planes (S, 2, 3), boxes (S, 4)) each."""
    if not surfaces:
        return []
    places, turns = cast.places(view.times), cast.turns(view.times)
    planes = _planes(spec, places, turns, view, cast.parallax)
    outlines = cast.outlines_in(view)
    boxes = [_boxes(spec, s, own) for s, own in zip(surfaces, outlines, strict=True)]
    painted = [s.painted(*seen) for s, *seen in zip(surfaces, planes, boxes, strict=True)]
    return list(zip(painted, outlines, planes, boxes, strict=True))


def _boxes(spec: ToySpec, surface: Surface, outlines: np.ndarray) -> np.ndarray:
    """Pixels that a figure and its shadow touch: (S, P, 2) in frame heights -> (S, 4) corners."""
    height, width = spec.size
    pixels = outlines * height + (width / 2, height / 2)
    pad = 3 * surface.softness * height + 1
    ends = [np.floor(pixels.min(1) - pad), np.ceil(pixels.max(1) + pad)]
    return np.concatenate(np.clip(ends, 0, (width, height)), -1).astype(int)


def _planes(
    spec: ToySpec, places: np.ndarray, turns: np.ndarray, view: View, parallax: float
) -> np.ndarray:
    """Matrices (N, S, 2, 3) from frame pixels to each figure's own plane, where it doesn't move."""
    height, width = spec.size
    middle = np.array([width / 2, height / 2])
    linear = np.linalg.inv(view.turn @ turns) / height  # (N, S, 2, 2)
    world = places - parallax * view.centre  # the figure's place seen from the camera
    offset = (np.linalg.inv(turns) @ world[..., None])[..., 0]
    shift = -linear @ middle - offset
    return np.concatenate([linear, shift[..., None]], -1)


def _draw(
    canvas: np.ndarray, surface: Surface, outline: np.ndarray, plane: np.ndarray, box: np.ndarray
) -> None:
    """Lay one figure over its box of the canvas (h, w, 3) float32: its shadow, then itself."""
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        return
    fine = np.zeros(((y1 - y0) * EDGE, (x1 - x0) * EDGE), np.uint8)
    cv2.fillPoly(fine, [polygon(outline, (height, width), EDGE, (x0, y0))], 255, shift=4)
    cover = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    opaque = cover.astype(np.float32) / 255
    kept, shade = 1 - opaque, opaque  # weights of what is there already and of the figure
    if surface.softness:
        reach = 2 * round(surface.softness * height) + 1
        near = cv2.blur(cv2.blur(opaque, (reach, reach)), (reach, reach))
        drop = max(1, round(0.4 * surface.softness * height))  # shadows fall down and to the right
        fallen = cv2.copyMakeBorder(near, drop, 0, drop, 0, cv2.BORDER_REPLICATE)
        kept = kept * (1 - surface.shadow * fallen[:-drop, :-drop])
        shade = shade * (1 - surface.relief + surface.relief * near)
    part = canvas[y0:y1, x0:x1]
    part *= cv2.merge((kept, kept, kept))
    part += surface.draw(plane, box) * cv2.merge((shade, shade, shade))


def _develop(
    rng: np.random.Generator, spec: ToySpec, film: Film, exposed: np.ndarray, t: float
) -> np.ndarray:
    """Light, defocus and grain: (h, w, 3) float32 -> uint8."""
    height, width = spec.size
    time = np.array([t])
    log_gain = film.light.at(time)[0] + film.tint.at(time)[0]
    slope = film.slope.at(time)[0]
    across = slope[0] * (np.arange(width) - width / 2) / height
    down = slope[1] * (np.arange(height) - height / 2) / height
    light = np.exp(across + down[:, None])[..., None] * np.exp(log_gain)
    lit = exposed * light.astype(np.float32)
    sigma = film.defocus.at(time)[0] * height
    if sigma > 0.2:
        lit = cv2.GaussianBlur(lit, (0, 0), float(sigma))
    lit += spec.noise * rng.standard_normal(lit.shape, dtype=np.float32)
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)
