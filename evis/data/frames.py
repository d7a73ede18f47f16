"""Frame readers: a folder of pictures, or a video file. Both read one frame when asked for it."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps

from evis.data import files
from evis.data.errors import DataError
from evis.data.types import Video, other_size

# What frames are read as, whatever a name says; Pillow knows many more, some of them programs.
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "WEBP", "TIFF")
# What Pillow raises for a file that is cut off, garbled or claims an absurd size.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, RuntimeError, EOFError, MemoryError),
    *(ArithmeticError, LookupError, struct.error, Image.DecompressionBombError),
)


@contextmanager
def opened(
    path: Path, what: str, formats: tuple[str, ...] = _FORMATS, **place: object
) -> Iterator[Image.Image]:
    """Pillow's picture; a file that is missing or damaged is a `DataError` that says what it is.

    What the block itself finds wrong with the picture is told as it says.
    """
    files.regular(path)
    try:
        with Image.open(path, formats=formats) as picture:
            yield picture
    except DataError:
        raise
    except FileNotFoundError:
        remedy = "Unpack or extract it again, or check frames_root"
        raise DataError(f"the {what} is missing", file=path, **place, remedy=remedy) from None
    except PermissionError:
        remedy = "Allow it, as chmod u+r does"
        raise DataError(f"the {what} may not be read", file=path, **place, remedy=remedy) from None
    except _DAMAGED as error:
        first_line = str(error).partition("\n")[0]
        problem = f"the {what} can't be decoded ({first_line or repr(error)})"
        remedy = "The file is cut off or not a picture; copy it again"
        raise DataError(problem, file=path, **place, remedy=remedy) from None


def read_picture(
    path: Path, video: object = None, frame: int | None = None, size: tuple[int, int] | None = None
) -> np.ndarray:
    """(h, w, 3) uint8 RGB; a file that is missing or can't be shown is a `DataError`.

    16 bits a grey pixel, 0 to 65535, become 8. Other values have no known range and are refused.
    The picture is turned as its EXIF orientation says, which is how people saw it when they drew
    on it, unless it has the annotated `size` (height, width) only as it is stored. One of another
    size is refused.
    """
    with opened(path, "frame", video=video, frame=frame) as picture:
        mode = picture.mode
        stored = picture.height, picture.width
        is_on_its_side = picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        is_turned = size != stored or not is_on_its_side
        seen = stored[::-1] if is_turned and is_on_its_side else stored
        if size not in (None, seen):  # before it is decoded
            raise other_size(seen, size, file=path, video=video, frame=frame)
        if is_turned:
            ImageOps.exif_transpose(picture, in_place=True)
        pixels = np.asarray(picture if mode[0] in "IF" else picture.convert("RGB"))
    if mode in ("I", "F"):
        problem = "the picture holds numbers of 32 bits, whose black and white are not known"
        place = {"file": path, "video": video, "frame": frame}
        raise DataError(problem, **place, remedy="Save it as an 8-bit or 16-bit picture")
    if mode.startswith("I;16"):
        grey = (pixels.astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    return pixels


@dataclass(frozen=True)
class PictureFolder:
    """Frames as picture files below `root`, named by `Video.frames`."""

    root: Path

    def __call__(self, video: Video, frame: int) -> np.ndarray:
        size = video.height, video.width
        return read_picture(within(self.root, video.frames[frame]), video.name, frame, size)


def within(root: Path, name: str) -> Path:
    """A file below `root`, whatever links are on the way: what lies elsewhere is not shown."""
    path = root / name
    there, below = (Path(os.path.realpath(place)) for place in (path, root))
    if not there.is_relative_to(below):  # resolve() fails at a link to itself; its reader tells
        remedy = "Copy it there, or give the folder that it lies in"
        raise DataError(f"is a link that leads out of {root}", file=path, remedy=remedy)
    return path


@dataclass(frozen=True)
class VideoFile:
    """Frames of one mp4 (or anything OpenCV decodes); a name's end says which: film.mp4#7.

    The decoder stays open between calls, so reading in order decodes each frame once; going back
    starts again from the first frame, because seeking by index is not exact in every format.
    """

    path: Path
    # process id -> (stream, its next frame): a forked worker can't use its parent's decoder
    _open: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, video: Video, frame: int) -> np.ndarray:
        wanted = int(video.frames[frame].rpartition("#")[2])  # a set may hold some of them alone
        stream, upcoming = self._open.pop(os.getpid(), (None, 0))
        if stream is None or upcoming > wanted:
            stream, upcoming = open_video(self.path), 0
        while upcoming < wanted and stream.grab():
            upcoming += 1
        decoded, picture = stream.read()
        if not decoded:
            place = {"file": self.path, "video": video.name, "frame": frame}
            remedy = "Re-encode it, or extract its frames into a folder"
            raise DataError("the video ends here or is damaged", **place, remedy=remedy)
        self._open[os.getpid()] = stream, wanted + 1
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def __reduce__(self) -> tuple:
        return VideoFile, (self.path,)


# FFmpeg's and OpenCV's own words about a broken file come before ours, and say less.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


_LISTS = b"ffconcat", b"#EXTM3U"  # of films anywhere, which FFmpeg would open


def open_video(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise DataError("there is no such file", file=path, remedy="Check the path")
    with open(path, "rb") as film:
        if film.read(9).startswith(_LISTS):
            remedy = "Name the film itself"
            raise DataError("is a list of other files, no film", file=path, remedy=remedy)
    # FFmpeg alone: OpenCV would go on to take a name with a number for one of many pictures. And
    # bytes, as of a str that is no UTF-8 it dies.
    stream = cv2.VideoCapture(os.fsencode(path), cv2.CAP_FFMPEG)
    if not stream.isOpened():
        remedy = "Re-encode it as mp4 (H.264), or extract its frames into a folder"
        raise DataError("is not a video that OpenCV can decode", file=path, remedy=remedy)
    return stream
