"""Every knob of the toy sets, and the five sets' values.

Lengths and speeds are in frame heights, so that a set looks the same at any size; angles are in
radians, times in frames. A knob that is a single number is the largest value a video can draw.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

VERSION = 2  # raise it whenever a change of the generator changes a byte


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
    jpeg_quality: int = 92

    # When an object is annotated. Objects that never are are left out of the scene.
    least_visible: float = 0.35  # share of its outline to be seen in one frame at least
    least_area: float = 0.004  # share of the frame to be covered in that frame
    least_piece: float = 0.001  # share of the frame below which it counts as not visible in a frame

    # Objects
    object_size: tuple[float, float] = (0.24, 0.48)  # square root of the area
    pose: float = 3.14  # how far from upright an object starts
    speed: tuple[float, float] = (0.0, 0.06)  # against the ground, a frame
    spin: float = 0.12  # a frame
    growth: float = 0.25  # how much an object's log size swings
    stretch: float = 0.3  # log of width over height
    wobble: float = 0.10  # waves around the outline, relative to its radius
    bend: float = 0.45  # bending into an arc
    camouflage: float = 0.12  # share of objects wearing the background's own texture
    camouflage_shift: float = 28.0  # grey levels by which they are brighter or darker than it
    typical: float = 1.0  # share of the other objects in their class's colour, as far as it has one
    typical_chroma: float = 70.0  # grey levels by which that colour is off grey
    typical_spread: float = 0.12  # standard deviation of its hue
    relief: float = 0.35  # darkening towards an object's edge
    shadow: float = 0.35  # darkness of the shadow an object casts

    # Textures
    photos: tuple[str, ...] = ("china", "flower", "flag", "uniform", "terrain")  # see textures
    grain: tuple[float, float] = (90.0, 280.0)  # photo pixels a frame height: small means coarse
    recolour: float = 0.5  # how far hues turn, 1 is anything

    # Scenery
    backdrops: int = 2  # further regions of the background, each with its own texture
    posts: float = 0.25  # share of videos with an unannotated post in front of objects

    # Camera, light and film
    pan: float = 0.035  # a frame
    zoom: float = 0.12  # log zoom swing
    roll: float = 0.06
    shake: float = 0.012
    shutter: float = 0.7  # share of the time between frames that the film is exposed: motion blur
    defocus: float = 0.012  # blur's standard deviation at its worst
    unsharp: float = 0.3  # share of videos that go out of focus at times
    light: float = 0.25  # swing of the log brightness, and slope of the light across the frame
    tint: float = 0.10  # swing of the log brightness of single colours
    noise: float = 3.0  # grey levels

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


def _same_name(*shapes: str) -> tuple[tuple[str, str], ...]:
    return tuple((shape, shape) for shape in shapes)


_SPECS = (
    # Still pictures for stage one. The gap to the videos: no blur, no change, upright poses, little
    # deformation, hardly any camouflage, other photos and truer colours, other classes.
    ToySpec(
        name="toy-coco",
        layout="coco",
        real="coco-2017",
        stream=1,
        videos=1500,
        classes=_same_name(
            "disc", "triangle", "square", "star", "cross", "heart", "ring", "drop", "bolt"
        ),
        instances=2.6,
        most_instances=7,
        mbor=0.08,
        frames=(1, 1),
        object_size=(0.22, 0.55),
        pose=0.5,
        wobble=0.04,
        bend=0.1,
        stretch=0.2,
        camouflage=0.1,
        typical=0.9,
        typical_chroma=60.0,
        typical_spread=0.2,
        photos=("flower", "uniform", "present", "terrain"),
        recolour=0.25,
        posts=0.1,
        shutter=0.0,
        unsharp=0.0,
        light=0.15,
        tint=0.03,
    ),
    ToySpec(
        name="toy-ytvis19",
        layout="ytvis",
        real="youtube-vis-2019",
        stream=2,
        videos=400,
        classes=_same_name(
            "disc", "triangle", "square", "star", "cross", "crescent", "heart", "arrow"
        ),
        instances=1.69,
        most_instances=6,
        mbor=0.07,
    ),
    # Against toy-ytvis19: square is renamed, star and cross are merged, ring and drop are new.
    # Of the real set's 2985 training videos 2191 come from the 2019 edition.
    ToySpec(
        name="toy-ytvis21",
        layout="ytvis",
        real="youtube-vis-2021",
        stream=3,
        videos=540,
        classes=(
            *_same_name("disc", "triangle"),
            ("square", "box"),
            ("star", "spiky"),
            ("cross", "spiky"),
            *_same_name("crescent", "heart", "arrow", "ring", "drop"),
        ),
        instances=2.10,
        most_instances=5,
        mbor=0.06,
        object_size=(0.20, 0.42),
        shares=Sharing("toy-ytvis19", 2191 / 2985),
    ),
    ToySpec(
        name="toy-ovis",
        layout="ytvis",
        real="ovis",
        stream=4,
        videos=150,
        classes=_same_name("disc", "triangle", "square", "star", "crescent", "heart", "ring"),
        instances=5.80,
        most_instances=12,
        mbor=0.22,
        mbor_spread=0.5,
        frames=(14, 28),
        object_size=(0.20, 0.42),
        speed=(0.0, 0.05),
        posts=0.35,
    ),
    # Class-agnostic: every shape is an object.
    ToySpec(
        name="toy-davis",
        layout="davis",
        real="davis-2017",
        stream=5,
        videos=60,
        classes=tuple(
            (shape, "object")
            for shape in ("disc", "triangle", "square", "star", "cross", "crescent", "heart")
        ),
        instances=2.2,
        most_instances=6,
        mbor=0.08,
        frames=(16, 28),
        object_size=(0.28, 0.55),
    ),
)
SPECS: dict[str, ToySpec] = {spec.name: spec for spec in _SPECS}
