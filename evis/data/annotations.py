"""YouTube-VIS, OVIS and COCO json: one reader and one writer, with every field checked.

A picture of COCO is a video of one frame, an instance a track of length one; so the two layouts
differ in what they call things, and in whether a track lists its values, one a frame, or gives one.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

from tqdm.auto import tqdm

from evis.data import fields, files
from evis.data.errors import DataError
from evis.data.frames import PictureFolder
from evis.data.jsonfile import Record, brief, is_text, load
from evis.data.masks import RLE
from evis.data.supervision import LEVELS
from evis.data.types import Category, Supervision, Track, Video, VISDataset

LARGEST_SIDE = 32_768  # pixels; the run-length code counts in 32 bits
T = TypeVar("T")


@dataclass(frozen=True)
class Layout:
    """What a format calls a video, its frames, and what a track holds of them."""

    lists: bool  # a list with an entry a frame, or the one frame's value
    video: str
    videos: str
    frames: str
    video_id: str
    masks: str
    boxes: str
    areas: str


LAYOUTS = {
    "ytvis": Layout(
        True, "video", "videos", "file_names", "video_id", "segmentations", "bboxes", "areas"
    ),
    "coco": Layout(
        False, "picture", "images", "file_name", "image_id", "segmentation", "bbox", "area"
    ),
}


def read(annotations_json: str | Path, frames_root: str | Path | None = None) -> VISDataset:
    """Read an annotation file of either layout; frames stay on disk until asked for.

    A track keeps what the file gives: masks, boxes and areas a frame (boxes and areas are taken
    from the masks where the file lists none), or evis's own `points`. An empty mask and an all-zero
    box count as "not visible", and so does a box in a frame whose mask is null. Files without
    annotations (the official valid and test splits) give a data set without tracks.
    """
    dataset = parse(load(annotations_json), Path(annotations_json))
    if frames_root is None:
        return dataset
    if not Path(frames_root).is_dir():
        remedy = "frames_root is the folder that the names of frames start from"
        raise DataError("there is no such folder", file=frames_root, remedy=remedy)
    return replace(dataset, read_frame=PictureFolder(Path(frames_root)))


def parse(content: Any, file: Path | None = None) -> VISDataset:
    """The parsed json as a data set without frames; `file` is what errors name."""
    if isinstance(content, list):
        problem = f"should be an object, is a list of {len(content)}"
        raise DataError(problem, file=file, remedy="Results are lists; give the annotations")
    root = Record(content, file=file, path="")
    layout = next((known for known in LAYOUTS.values() if root.has(known.videos)), None)
    if layout is None:
        problem = "lists neither videos (YouTube-VIS) nor images (COCO)"
        raise root.error(problem, remedy="Is it an annotation file?")
    categories = _all(root, "categories", lambda r: Category(r.integer("id"), r.text("name")))
    if twice := [name for name, n in Counter(c.name for c in categories).items() if n > 1]:
        problem = f"two categories are called {twice[0]!r}, and names tell them from each other"
        raise root.error(problem, "categories", remedy="Rename one, or make one class of both")
    videos = _all(root, layout.videos, partial(_video, layout=layout))
    if not videos:
        problem = f"the set is empty: it lists no {layout.video}"
        raise root.error(problem, layout.videos, remedy="Use another file or split")
    often = Counter(video.name for video in videos)  # as where frames of several share a folder
    videos = tuple(
        video if often[video.name] == 1 else replace(video, name=f"{video.name} ({video.id})")
        for video in videos
    )
    dataset = VISDataset(videos, (), categories, supervision="none")
    if not root.has("annotations"):
        return dataset
    tracks = _all(root, "annotations", partial(_track, dataset=dataset, layout=layout))
    boxes = [box for track in tracks for box in track.boxes or () if box is not None]
    if boxes and fields.are_shares(boxes):
        problem = "all boxes lie within 0 and 1: they are shares of the frame, not pixels"
        remedy = "Multiply x and width by the frame's width, y and height by its height"
        raise root.error(problem, f"annotations.{layout.boxes}", remedy=remedy)
    supervision, origin = _level(root, tracks, layout), None
    info = root.value.get("info")
    if isinstance(info, dict) and "origin" in info:  # as `write` notes it
        made = Record(info, file=file, path="info")
        supervision, origin = made.text("supervision"), made.text("origin")
        if supervision not in LEVELS:
            raise made.error(f"should be one of {', '.join(LEVELS)}", "supervision")
    return replace(dataset, tracks=tracks, supervision=supervision, origin=origin)


def _all(root: Record, key: str, parse_one: Callable[[Record], T]) -> tuple[T, ...]:
    """What the list under `key` holds, parsed, each under an id of its own."""
    parsed: dict[int, tuple[T, Record]] = {}
    for index, value in enumerate(tqdm(root.list(key), desc=key, unit="", delay=2, leave=False)):
        record = Record(value, file=root.file, path=f"{key}[{index}]")
        item = parse_one(record)
        if item.id in parsed:
            problem = f"id {item.id} is taken already by {parsed[item.id][1].path}"
            raise record.error(problem, "id", remedy="Every id may stand once")
        parsed[item.id] = item, record
    return tuple(item for item, _ in parsed.values())


def _video(record: Record, layout: Layout) -> Video:
    record.video = identifier = record.integer("id")
    frames = record.list(layout.frames) if layout.lists else [record.text(layout.frames)]
    if not frames:
        raise record.error("the video has no frame", layout.frames, remedy="Drop it from the file")
    if record.has("length") and record.integer("length") != len(frames):
        problem = f"says {record.integer('length')}, {layout.frames} lists {len(frames)} frames"
        remedy = "List every frame once, or correct the length"
        raise record.error(problem, "length", remedy=remedy)
    for frame, name in enumerate(frames):
        fail = partial(record.error, key=layout.frames, frame=frame if layout.lists else None)
        if problem := unusable(name):
            raise fail(problem, remedy="Use paths below frames_root")
    first = PurePosixPath(frames[0])
    name = str(first.parent if layout.lists else first.parent / first.stem)
    return Video(
        id=identifier,
        name=name if name != "." else str(identifier),
        height=record.integer("height", least=1, most=LARGEST_SIDE),
        width=record.integer("width", least=1, most=LARGEST_SIDE),
        frames=tuple(frames),
    )


def unusable(name: Any) -> str | None:
    """Why a frame can't be found by this name in a file; None if it can."""
    if not is_text(name):
        return f"should be a file name, is {brief(name)}"
    path = PurePosixPath(name.replace("\\", "/"))
    is_outside = path.is_absolute() or ".." in path.parts
    return f"{name!r} leads out of the frames' folder" if is_outside else None


def _track(record: Record, dataset: VISDataset, layout: Layout) -> Track:
    video = dataset.video(record.one_of(layout.video_id, dataset.videos_by_id))
    record.video = video.name
    values = partial(frame_values, record, video, layout)
    track = Track(
        id=record.integer("id"),
        video_id=video.id,
        category_id=record.one_of("category_id", dataset.category_names),
        boxes=values(layout.boxes, fields.box),
        areas=values(layout.areas, fields.area),
        points=values("points", fields.points),
        is_crowd=record.flag("iscrowd"),
    )
    masks = frame_masks(record, video, layout)
    return track if masks is None else track.with_masks(masks)


def frame_masks(record: Record, video: Video, layout: Layout) -> tuple[RLE | None, ...] | None:
    """The record's masks, as `frame_values` gives them; sound codes are read all at once."""
    together = None
    if layout.lists and record.has(layout.masks):
        together = fields.masks_together(record.list(layout.masks, video.length), video)
    return together or frame_values(record, video, layout, layout.masks, fields.mask)


def frame_values(
    record: Record, video: Video, layout: Layout, key: str, check: Callable[..., T]
) -> tuple[T | None, ...] | None:
    """What the record holds under `key`, one checked entry a frame; None where it holds nothing.

    An entry is null in the file where the object is not visible.
    """
    if not record.has(key):
        return None
    places, entries = [None], [record.value[key]]
    if layout.lists:
        places, entries = range(video.length), record.list(key, length=video.length)
    return tuple(
        None if entry is None else check(entry, video, partial(record.error, key=key, frame=frame))
        for frame, entry in zip(places, entries, strict=True)
    )


def _level(root: Record, tracks: tuple[Track, ...], layout: Layout) -> Supervision:
    """The strongest level that every track supports."""
    levels = ("mask", "masks", layout.masks), ("box", "boxes", layout.boxes)
    for level, kind, key in (*levels, ("point", "points", "points")):
        bearing = sum(getattr(track, kind) is not None for track in tracks)
        if bearing == len(tracks):
            return level
        if bearing:
            problem = f"{bearing} of {len(tracks)} tracks have {key}, the others have none"
            remedy = f"Split the file, or drop the {key}"
            raise root.error(problem, "annotations", remedy=remedy)
    problem = f"some tracks have neither {layout.masks} nor {layout.boxes} nor points"
    remedy = "Every track needs one kind of annotation, the same for all"
    raise root.error(problem, "annotations", remedy=remedy)


def write(
    dataset: VISDataset, path: str | Path, layout: Literal["ytvis", "coco"] = "ytvis"
) -> Path:
    """Write the data set's labels, at whatever level it holds, and what made them."""
    layout = LAYOUTS[layout]
    holds_all = dataset.are_stills and "points" not in dataset.kinds
    if not layout.lists and not holds_all:
        remedy = "Write it in the layout of YouTube-VIS"
        raise DataError("COCO's layout holds single pictures, and no points", remedy=remedy)
    info = {"description": f"written by evis, supervision: {dataset.supervision}"}
    if dataset.origin is not None:
        info |= {"supervision": dataset.supervision, "origin": dataset.origin}
    content: dict[str, Any] = {
        "info": info,
        "licenses": [],
        "categories": [{"id": c.id, "name": c.name} for c in dataset.categories],
        layout.videos: [_video_row(video, layout) for video in dataset.videos],
    }
    if dataset.kinds:
        content["annotations"] = [
            _track_row(track, dataset.video(track.video_id), layout) for track in dataset.tracks
        ]
    return files.write_json(path, content)


def _video_row(video: Video, layout: Layout) -> dict[str, Any]:
    row = {"id": video.id, "height": video.height, "width": video.width}
    if layout.lists:
        return row | {"length": video.length, layout.frames: list(video.frames)}
    return row | {layout.frames: video.frames[0]}


def _track_row(track: Track, video: Video, layout: Layout) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": track.id,
        layout.video_id: track.video_id,
        "category_id": track.category_id,
        "iscrowd": int(track.is_crowd),
    }
    if layout.lists:
        row |= {"height": video.height, "width": video.width, "length": video.length}
    points = track.points and tuple(
        frame and [[p.x, p.y, int(p.positive)] for p in frame] for frame in track.points
    )
    for key, entries, invisible in (
        (layout.masks, track.masks, []),
        (layout.boxes, track.boxes, [0, 0, 0, 0]),
        (layout.areas, track.areas, None),
        ("points", points, None),
    ):
        if entries is not None and layout.lists:
            row[key] = entries
        elif entries is not None and (entries[0] or invisible) is not None:
            row[key] = entries[0] or invisible
    return row
