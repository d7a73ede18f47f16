"""Every knob of the toy sets; the five sets' own values stand in sets.toml.

Lengths and speeds are in frame heights, so that a set looks the same at any size; angles are in
radians, times in frames. A knob that is a single number is the largest value a video can draw.

Textures, motion, camera, light and film were set on 2026-11-27: by how near they come to real clips
in what `evis.companion.realism` measures (notebook 01), with rows of masks, boxes and stage one
alone; the last of them, for two limits on the pairs that TK keeps, after TK had been trained in two
worlds before. They miss real clips in two things: half of the neighbours within a frame are alike,
of real ones 5 to 22%; and of all places TK keeps more pairs than there at any gap, of moving ones
inside boxes fewer from five frames on. data/weights/README.md tells what was tried.
"""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

VERSION = 3  # raise it whenever a change of the generator changes a byte


@dataclass(frozen=True)
class Sharing:
    """Videos taken over from another set: the same frames, under this set's class names."""

    source: str  # the other set's name
    share: float  # of this set's videos


@dataclass(frozen=True)
class ToySpec:
    """What a toy set is made of."""

    name: str
    layout: Literal["ytvis", "coco", "davis"]  # the real format it is written in
    real: str  # the set of `evis.data.catalog` whose folders it has
    stream: int  # names the random numbers; sets with different streams have nothing in common
    videos: int  # how many are built unless said otherwise
    classes: tuple[tuple[str, str], ...]  # (shape, class name); shapes under one name are one class

    # What the annotations must come to, as means over videos.
    instances: float  # annotated objects a video, at least 1 each
    most_instances: int
    mbor: float  # box overlap as OVIS defines it, over the visible parts' boxes
    mbor_spread: float = 0.7  # how far single videos are from that, 1 is from nothing to twice it

    # Format
    size: tuple[int, int] = (64, 96)  # height, width
    frames: tuple[int, int] = (8, 16)  # shortest and longest video
    jpeg_quality: int = 99

    # When an object is annotated. Objects that never are are left out of the scene.
    least_visible: float = 0.35  # share of its outline to be seen in one frame at least
    least_area: float = 0.004  # share of the frame to be covered in that frame
    least_piece: float = 0.001  # share of the frame below which it counts as not visible in a frame

    # Objects
    object_size: tuple[float, float] = (0.24, 0.48)  # square root of the area
    pose: float = 3.14  # how far from upright an object starts
    speed: tuple[float, float] = (0.0, 0.035)  # against the ground, a frame
    resting: float = 0.75  # share of objects that stay where they are on the ground
    spin: float = 0.05  # a frame
    growth: float = 0.10  # how much an object's log size swings
    stretch: float = 0.3  # log of width over height
    wobble: float = 0.05  # waves around the outline, relative to its radius
    bend: float = 0.25  # bending into an arc
    camouflage: float = 0.12  # share of objects wearing the background's own texture
    camouflage_shift: float = 28.0  # grey levels by which they are brighter or darker than it
    typical: float = 1.0  # share of the other objects in their class's colour, as far as it has one
    typical_chroma: float = 55.0  # grey levels by which that colour is off grey
    typical_spread: float = 0.12  # standard deviation of its hue
    relief: float = 0.25  # darkening towards an object's edge
    shadow: float = 0.25  # darkness of the shadow an object casts

    # Textures
    photos: tuple[str, ...] = ("china", "flower", "flag", "uniform", "terrain")  # see textures
    grain: tuple[float, float] = (30.0, 90.0)  # photo pixels a frame height: small means coarse
    recolour: float = 0.5  # how far hues turn, 1 is anything
    contrast: tuple[float, float] = (0.19, 0.62)  # of a texture, against the photo's

    # Scenery
    backdrops: int = 2  # further regions of the background, each with its own texture
    posts: float = 0.25  # share of videos with an unannotated post in front of objects

    # Camera, light and film
    pan: float = 0.0003  # a frame
    zoom: float = 0.003  # log zoom swing
    roll: float = 0.002
    shake: float = 0.0003
    shutter: float = 0.7  # share of the time between frames that the film is exposed: motion blur
    defocus: float = 0.012  # blur's standard deviation at its worst
    unsharp: float = 0.3  # share of videos that go out of focus at times
    light: float = 0.006  # swing of the log brightness, and slope of the light across the frame
    tint: float = 0.006  # swing of the log brightness of single colours
    noise: float = 0.3  # grey levels

    shares: Sharing | None = None

    @property
    def category_names(self) -> tuple[str, ...]:
        """In order of category id, which starts at 1."""
        return tuple(dict.fromkeys(name for _, name in self.classes))

    def category_id(self, shape: str) -> int:
        return 1 + self.category_names.index(dict(self.classes)[shape])

    @property
    def hash(self) -> str:
        """Twelve digits that change with any knob and with the generator."""
        source = asdict(SPECS[self.shares.source]) if self.shares else None
        content = json.dumps([VERSION, asdict(self), source], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def remainder(self) -> "ToySpec":
        """What this set's own videos must come to, so that with the shared ones the means hold."""
        if self.shares is None:
            return self
        source, share = SPECS[self.shares.source], self.shares.share
        return replace(
            self,
            instances=(self.instances - share * source.instances) / (1 - share),
            mbor=(self.mbor - share * source.mbor) / (1 - share),
        )


def _spec(name: str, knobs: dict[str, Any]) -> ToySpec:
    knobs = {
        key: tuple(value) if isinstance(value, list) else value for key, value in knobs.items()
    }
    classes = tuple(knobs.pop("classes").items())
    shares = Sharing(**knobs.pop("shares")) if "shares" in knobs else None
    return ToySpec(name=name, classes=classes, shares=shares, **knobs)


_FILE = Path(__file__).with_name("sets.toml")
SPECS: dict[str, ToySpec] = {
    name: _spec(name, knobs) for name, knobs in tomllib.loads(_FILE.read_text("utf-8")).items()
}
