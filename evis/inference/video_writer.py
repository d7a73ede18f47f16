"""Pictures encoded as mp4 or gif while they come, so that memory doesn't grow with the video."""

import os
from collections.abc import Iterable
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from evis.data.errors import DataError

ENCODERS = {
    ".mp4": {  # H.264, which browsers play
        "codec": "libx264",
        "output_params": ["-movflags", "+faststart"],
    },
    ".gif": {  # a palette a frame: one for the whole video would have to wait for its end
        "codec": "gif",
        "pix_fmt_out": "pal8",
        "output_params": [
            "-filter_complex",
            "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1",
        ],
    },
}


def write_video(path: str | Path, pictures: Iterable[np.ndarray], rate: float) -> Path:
    """Write (h, w, 3) uint8 RGB pictures as .mp4 or .gif, whole or not at all.

    An odd side gets one more row or column, a copy of the last: H.264 halves the colours' size.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    encoder = None
    try:
        for picture in pictures:
            picture = _even(picture)
            if encoder is None:
                size = picture.shape[1], picture.shape[0]
                encoder = imageio_ffmpeg.write_frames(
                    str(temporary),
                    size,
                    fps=rate,
                    macro_block_size=1,
                    ffmpeg_log_level="error",
                    **ENCODERS[path.suffix],
                )
                encoder.send(None)
            encoder.send(np.ascontiguousarray(picture))
        if encoder is None:
            raise DataError("there are no frames to write", file=path)
        encoder.close()
        if not temporary.is_file():
            raise DataError(
                "FFmpeg wrote no file", file=path, remedy="Its own message stands above this one"
            )
        temporary.replace(path)
    finally:
        if encoder is not None:
            encoder.close()
        temporary.unlink(missing_ok=True)
    return path


def _even(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
