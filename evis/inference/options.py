"""How to run a model over a video, as plain data."""

from dataclasses import dataclass
from typing import Literal

from evis.trackers.windows import JOINS


@dataclass(frozen=True)
class Options:
    """Defaults: Mask2Former-VIS as published, the whole video at once.

    window, overlap: frames the model sees at once, and how many it shares with the next window.
        `window=1` is MinVIS: frame by frame, linked by queries.
    join: how windows become one video, by the queries' embeddings or the masks on shared frames.
    shorter_side: frames are resized to it for the model; None leaves them as they are. Masks come
        back at the video's own size.
    top: predictions a video, the best over all tracks and classes.
    class_agnostic: one prediction a track, scored by how sure the model is of any object.
    """

    window: int | None = None
    overlap: int = 0
    join: Literal["queries", "masks"] = "queries"
    shorter_side: int | None = 360
    longest_side: int = 1333
    top: int = 10
    class_agnostic: bool = False

    def __post_init__(self) -> None:
        for name in ("window", "shorter_side", "longest_side", "top"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} should be at least 1, is {value}")
        if self.join not in JOINS:
            raise ValueError(f"join should be one of {', '.join(JOINS)}, is {self.join!r}")
        if self.window is None:
            if self.overlap:
                raise ValueError("overlap needs a window: give its number of frames too")
            return
        if not 0 <= self.overlap < self.window:
            raise ValueError(
                f"overlap should be from 0 to window - 1 ({self.window - 1}), is {self.overlap}"
            )
        if self.join == "masks" and not self.overlap:
            raise ValueError("joining windows by masks needs an overlap of at least one frame")
