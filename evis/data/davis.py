"""The DAVIS-2017 layout: palette PNGs whose index is the object, one a frame.

DAVIS-2017-Motion is the same videos with other labels (objects that move together count as one),
so it is read by naming its annotation folder.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from evis.data import files, masks
from evis.data.errors import DataError
from evis.data.frames import PictureFolder, opened, read_picture, within
from evis.data.jsonfile import is_text
from evis.data.types import Category, Track, Video, VISDataset

UNSUPERVISED = "Annotations_unsupervised"
VOID = 255  # pixels that belong to no object and count for nothing
RESOLUTION = "480p"


def read(root: str | Path, split: str = "val", annotations: str = UNSUPERVISED) -> VISDataset:
    """Read the videos of `ImageSets/2017/<split>.txt` with the labels of the `annotations` folder.

    All objects share the one category "object". Videos number from 1 in the order of the split
    file; track ids count through the set.
    """
    root = Path(root)
    names = _split_names(root, split)
    frames, labels = (within(root, f"{kind}/{RESOLUTION}") for kind in ("JPEGImages", annotations))
    videos, tracks = [], []
    for video_id, name in enumerate(tqdm(names, desc="DAVIS", delay=10, leave=False), start=1):
        video = _video(within(frames, name), name, video_id)
        videos.append(video)
        tracks += _tracks(within(labels, name), video, len(tracks) + 1)
    reader = PictureFolder(frames)
    return VISDataset(tuple(videos), tuple(tracks), (Category(1, "object"),), reader)


def listing(split: str) -> str:
    """The file that names the split's videos, from the set's folder."""
    return f"ImageSets/2017/{split}.txt"


def _split_names(root: Path, split: str) -> list[str]:
    file = within(root, listing(split))
    try:
        lines = files.regular(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        remedy = "root is the folder that holds ImageSets, JPEGImages and Annotations"
        raise DataError("the list of videos can't be read", file=file, remedy=remedy) from None
    names = [line.strip() for line in lines if line.strip()]
    if not names or len(set(names)) < len(names):
        problem = "the list of videos names one twice" if names else "the set is empty"
        raise DataError(problem, file=file, remedy="Write one name a line, each once")
    for name in names:
        if not _names_a_folder(name):
            problem = f"{name!r} is not the name of a video's folder"
            raise DataError(problem, file=file, remedy="Write the folders' names, without paths")
    return names


def _names_a_folder(name: str) -> bool:
    return is_text(name) and "/" not in name and name not in (".", "..")


def _video(folder: Path, name: str, video_id: int) -> Video:
    frames = sorted(path.name for path in folder.glob("*.jpg"))
    if not frames:
        problem = "the folder is missing or holds no .jpg frame"
        remedy = f"Unpack the {RESOLUTION} frames there"
        raise DataError(problem, file=folder, video=name, remedy=remedy)
    height, width = read_picture(within(folder, frames[0]), name, 0).shape[:2]
    return Video(video_id, name, height, width, tuple(f"{name}/{frame}" for frame in frames))


def _tracks(folder: Path, video: Video, first_id: int) -> list[Track]:
    known = {Path(frame).stem for frame in video.frames}
    lonely = sorted(path for path in folder.glob("*.png") if path.stem not in known)
    if lonely:
        remedy = "Unpack the frames again; one is missing"
        place = {"file": lonely[0], "video": video.name}
        raise DataError("the label picture has no frame", **place, remedy=remedy)
    labels = [_read_labels(folder, video, frame) for frame in range(video.length)]
    tracks = []
    for index in sorted(set(np.unique(labels).tolist()) - {0, VOID}):
        encoded = [
            masks.encode(label == index) if (label == index).any() else None for label in labels
        ]
        track = Track(first_id + len(tracks), video.id, category_id=1)
        tracks.append(track.with_masks(encoded))
    return tracks


def _read_labels(folder: Path, video: Video, frame: int) -> np.ndarray:
    """(h, w) uint8: the object at each pixel, 0 for none."""
    path = within(folder, Path(video.frames[frame]).with_suffix(".png").name)
    place = {"file": path, "video": video.name, "frame": frame}
    kinds = "PNG", "JPEG", "GIF", "BMP"  # the last three to be refused by name
    with opened(path, "label picture", kinds, video=video.name, frame=frame) as picture:
        form, mode, labels = picture.format, picture.mode, np.asarray(picture)
    if form != "PNG":
        remedy = "Save it as PNG, which keeps every index; lossy formats make up objects"
        raise DataError(
            f"the label picture is {form} under the name of a PNG", **place, remedy=remedy
        )
    if mode not in ("P", "L"):
        remedy = "Save labels as palette PNGs whose index is the object"
        raise DataError(f"the label picture is {mode}, not indexed", **place, remedy=remedy)
    if labels.shape != (video.height, video.width):
        raise DataError(
            f"the label picture is {labels.shape[0]} x {labels.shape[1]}, "
            f"the frame {video.height} x {video.width} (height x width)",
            **place,
            remedy="Labels and frames must come from the same resolution",
        )
    return labels


def write(
    dataset: VISDataset, root: str | Path, split: str = "val", annotations: str = UNSUPERVISED
) -> Path:
    """Write the split file and one palette PNG a frame. The frames themselves stay where they are.

    Objects are numbered from 1 within a video, in the order of the data set's tracks.
    """
    root = Path(root)
    pictures: dict[Path, bytes] = {}  # all encoded before the first is written
    for video in dataset.videos:
        if not _names_a_folder(video.name):
            remedy = "Give it a name without a slash"
            raise DataError("a split file can't name it", video=video.name, remedy=remedy)
        folder = root / annotations / RESOLUTION / video.name
        for frame, name in enumerate(video.frames):
            picture = _png(_label_picture(dataset, video, frame))
            pictures[folder / Path(name).with_suffix(".png").name] = picture
    if len(pictures) < sum(video.length for video in dataset.videos):
        remedy = "Give every video its own name and every frame its own file name"
        raise DataError("two frames would be written into one file", remedy=remedy)
    for target, content in pictures.items():
        files.write_bytes(target, content, durable=False)
    names = "".join(f"{video.name}\n" for video in dataset.videos)
    files.write_text(root / listing(split), names)
    return root


def _label_picture(dataset: VISDataset, video: Video, frame: int) -> np.ndarray:
    """(h, w) uint8: the objects of one frame, which may not overlap."""
    tracks = dataset.tracks_of(video.id)
    if len(tracks) >= VOID:
        problem = f"has {len(tracks)} tracks, a label picture holds up to {VOID - 1}"
        raise DataError(problem, video=video.name, remedy="Keep fewer tracks")
    labels = np.zeros((video.height, video.width), dtype=np.uint8)
    for index, track in enumerate(tracks, start=1):
        mask = track.mask(frame)
        if mask is None:
            continue
        if labels[mask].any():
            problem = f"track {track.id} overlaps another, which a label picture can't hold"
            remedy = "Give each pixel to one object first"
            raise DataError(problem, video=video.name, frame=frame, remedy=remedy)
        labels[mask] = index
    return labels


def _png(labels: np.ndarray) -> bytes:
    """(h, w) uint8 object indices as a palette PNG in DAVIS's colours."""
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette(palette().tobytes())
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()


def palette() -> np.ndarray:
    """(256, 3) uint8: the colours that PASCAL VOC and DAVIS give to indices.

    Bits 0, 3, 6 of the index feed red from its highest bit down, bits 1, 4, 7 green, 2, 5 blue.
    """
    index = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= ((index >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
    return colours
