"""Pictures encoded as mp4 or gif while they come, so that memory doesn't grow with the video."""

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from evis.data import files
from evis.data.errors import DataError

ENCODERS = {
    # H.264, which browsers play
    ".mp4": "-c:v libx264 -pix_fmt yuv420p -crf 25 -movflags +faststart",
    # a palette a frame: one for the whole video would have to wait for its end
    ".gif": "-c:v gif -filter_complex "
    "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1",
}

LONGEST_SIDE = {".mp4": 2**14, ".gif": 2**16 - 1}  # that the encoders take


def check_size(kind: str, height: int, width: int, **place: object) -> None:
    """Whether pictures of this size can be written as .mp4 or .gif; `place` is for the error."""
    if max(height + height % 2, width + width % 2) > LONGEST_SIDE[kind]:
        problem = f"pictures of {height} x {width} are too large for a {kind}"
        remedy = "Choose gif, which takes larger ones than mp4, or none (--overlay)"
        raise DataError(problem, **place, remedy=remedy)


def write_video(path: str | Path, pictures: Iterable[np.ndarray], rate: float) -> Path:
    """Write (h, w, 3) uint8 RGB pictures as .mp4 or .gif, whole or not at all.

    An odd side gets one more row or column, a copy of the last: H.264 halves the colours' size.
    """
    path = Path(path)
    if path.suffix not in ENCODERS:
        problem = f"videos are written as {' or '.join(ENCODERS)}"
        raise DataError(problem, file=path, remedy="Let its name end so")
    even = map(_even, pictures)
    first = next(even, None)
    if first is None:
        raise DataError("there are no frames to write", file=path)
    height, width = first.shape[:2]
    check_size(path.suffix, height, width, file=path)
    with files.replacing(path) as temporary:
        source = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {rate} -i -"
        options = ["-v", "error", *source.split(), *ENCODERS[path.suffix].split()]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *options, "-y", str(temporary)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stderr=pipe) as encoder:
            with suppress(BrokenPipeError):  # it has ended, and says why
                for picture in chain([first], even):
                    encoder.stdin.write(np.ascontiguousarray(picture))
            message = encoder.communicate()[1].decode(errors="replace").strip()
        if encoder.returncode != 0:
            raise DataError(
                f"FFmpeg could not write it ({message or f'it ended by {encoder.returncode}'})",
                file=path,
                remedy="Is there room on the disk?",
            )
    return path


def _even(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
