"""How to run a model over a video, as plain data."""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from evis.data.clips import scaled
from evis.trackers.windows import JOINS

Auto = Literal["auto"]
WEIGHTED = "memory-weighted"
OF_MEMORY = ("memory", WEIGHTED)
# Of a model for pictures or clips, and of IDOL: the first is what "auto" comes to.
OF_QUERIES, OF_IDOL = ("minvis", *OF_MEMORY, "deepsort"), ("idol", "idol-ovis")
OF_DETECTIONS = ("deepsort", *OF_IDOL)  # those that see frame by frame


@dataclass(frozen=True)
class Options:
    """Defaults: what suits the model and the video; `evis.inference.fitting` says how it is chosen.

    window, overlap: frames the model sees at once, and how many it shares with the next window.
        "auto" is as many as memory allows, but one for a model that knows pictures alone, None the
        whole video, as Mask2Former-VIS was published. `window=1` is MinVIS: frame by frame, linked
        by queries.
    join: how windows become one video, by the queries' embeddings or the masks on shared frames.
    tracker: what follows objects from window to window. "minvis" pairs queries with those of the
        window before, "memory" with those of all before (UVIS), "memory-weighted" with these by how
        sure each was of an object, "deepsort" takes the detections of single frames by place and
        looks. IDOL has a tracker of its own: "idol", or "idol-ovis" as it is set for OVIS. "auto"
        is "idol" for IDOL, "minvis" for all others.
    shorter_side: frames are resized to it for the model; None leaves them as they are. "auto" is
        what the model was trained at, or the frames' own size where that is smaller. Masks come
        back at the video's own size.
    top: predictions a video, the best over all tracks and classes.
    class_agnostic: one prediction a track, scored by how sure the model is of any object.
    score: what a predicted track's score is: the model's confidence, or maskness, the mean of its
        soft mask where that is above one half (PointVIS, as the paper that it cites defines it).
        The `top` are the most confident in any case.
    precision: what the network computes in. "auto" is bfloat16 on CUDA, under autocast, with TF32
        where that keeps 32 bits, and float32 elsewhere. Masks are enlarged in float32.
    """

    window: int | Auto | None = "auto"
    overlap: int = 0
    join: Literal["queries", "masks"] = "queries"
    shorter_side: int | Auto | None = "auto"
    longest_side: int = 1333
    top: int = 10
    class_agnostic: bool = False
    score: Literal["confidence", "maskness"] = "confidence"
    precision: Literal["float32", "bfloat16"] | Auto = "auto"
    tracker: (
        Literal["minvis", "memory", "memory-weighted", "deepsort", "idol", "idol-ovis"] | Auto
    ) = "auto"

    def __post_init__(self) -> None:
        words = {"window": (None, "auto"), "shorter_side": (None, "auto")}
        for name in ("window", "overlap", "shorter_side", "longest_side", "top"):
            value, least = getattr(self, name), int(name != "overlap")
            if value in words.get(name, ()):
                continue
            if not (isinstance(value, Integral) and value >= least):
                raise ValueError(f"{name} should be a whole number, at least {least}, is {value!r}")
            object.__setattr__(self, name, int(value))  # numpy's are no json
        choices = {
            "join": JOINS,
            "tracker": ("auto", *OF_QUERIES, *OF_IDOL),
            "precision": ("auto", "float32", "bfloat16"),
            "score": ("confidence", "maskness"),
        }
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} should be one of {', '.join(known)}, is {value!r}")
        if self.join == "masks" and self.tracker not in ("auto", "minvis"):
            raise ValueError(f"joining by masks leaves nothing to the tracker {self.tracker!r}")
        if self.tracker in OF_DETECTIONS and self.window not in ("auto", 1):
            problem = f"the tracker {self.tracker!r} follows objects frame by frame"
            raise ValueError(f"{problem}: its window is 1, not {self.window}")
        frames = self.window if isinstance(self.window, int) else None
        if frames is None and self.overlap:
            raise ValueError("overlap needs a window: give its number of frames too")
        if frames is not None and self.overlap >= frames:
            raise ValueError(
                f"overlap should be from 0 to window - 1 ({frames - 1}), is {self.overlap}"
            )
        if self.join == "masks" and self.window is not None and not self.overlap:
            raise ValueError("joining windows by masks needs an overlap of at least one frame")

    def seen_size(self, height: int, width: int) -> tuple[int, int]:
        """The size at which the model sees frames of this size."""
        if self.shorter_side is None:
            return height, width
        return scaled((height, width), self.shorter_side, self.longest_side)
