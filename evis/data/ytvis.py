"""YouTube-VIS 2019/2021 and OVIS json: read with every field checked, and written back."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from evis import files
from evis.data import masks
from evis.data.errors import DataError
from evis.data.frames import PictureFolder
from evis.data.jsonfile import Record, is_number, is_text, kind, load
from evis.data.masks import RLE
from evis.data.types import Box, Category, Point, Track, Video, VISDataset

LARGEST_SIDE = 32_768  # pixels; the run-length code counts in 32 bits
LONGEST_OUTLINE = 1_000_000  # pixels a frame; rasterising takes about 100 bytes each


def read(annotations_json: str | Path, frames_root: str | Path | None = None) -> VISDataset:
    """Read an annotation file; frames stay on disk below `frames_root` until asked for.

    A track keeps what the file gives: masks, boxes and areas a frame (boxes and areas are taken
    from the masks where the file lists none), or evis's own `points`. An empty mask and an all-zero
    box count as "not visible", and so does a box in a frame whose mask is null. Files without
    annotations (the official valid and test splits) give a data set without tracks.
    """
    file = Path(annotations_json)
    root = Record(load(file), file=file, path="")
    categories = _categories(root)
    videos = _videos(root)
    tracks: tuple[Track, ...] = ()
    if root.has("annotations"):
        tracks = _tracks(root, {video.id: video for video in videos}, {c.id for c in categories})
    reader = None
    if frames_root is not None:
        if not Path(frames_root).is_dir():
            raise DataError(
                "there is no such folder",
                file=frames_root,
                remedy="frames_root is the folder that holds one folder of frames a video",
            )
        reader = PictureFolder(Path(frames_root))
    level = _level(root, tracks) if root.has("annotations") else "none"
    return VISDataset(videos, tracks, categories, reader, level)


def _level(root: Record, tracks: tuple[Track, ...]) -> Any:
    """The strongest level that every track supports."""
    for level, entries, key in (
        ("mask", "masks", "segmentations"),
        ("box", "boxes", "bboxes"),
        ("point", "points", "points"),
    ):
        bearing = sum(getattr(track, entries) is not None for track in tracks)
        if bearing == len(tracks):
            return level
        if bearing:
            raise root.error(
                f"{bearing} of {len(tracks)} tracks have {key}, the others have none",
                "annotations",
                remedy=f"Split the file, or drop the {key}",
            )
    raise root.error(
        "some tracks have neither segmentations nor bboxes nor points",
        "annotations",
        remedy="Every track needs one kind of annotation, the same for all",
    )


def _categories(root: Record) -> tuple[Category, ...]:
    records = root.records("categories")
    categories = tuple(Category(r.integer("id"), r.text("name")) for r in records)
    _refuse_duplicates([(c.id, r) for c, r in zip(categories, records, strict=True)])
    return categories


def _videos(root: Record) -> tuple[Video, ...]:
    records = root.records("videos")
    if not records:
        raise root.error(
            "the set is empty: it lists no video", "videos", remedy="Use another file or split"
        )
    videos = tuple(_video(record) for record in records)
    _refuse_duplicates([(v.id, r) for v, r in zip(videos, records, strict=True)])
    return videos


def _video(record: Record) -> Video:
    record.video = identifier = record.integer("id")
    frames = record.list("file_names")
    if not frames:
        raise record.error("the video has no frame", "file_names", remedy="Drop it from the file")
    if record.has("length") and record.integer("length") != len(frames):
        raise record.error(
            f"says {record.integer('length')}, but file_names lists {len(frames)} frames",
            "length",
            remedy="List every frame once, or correct the length",
        )
    for frame, name in enumerate(frames):
        if not is_text(name):
            raise record.error(f"should be a file name, is {kind(name)}", "file_names", frame)
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise record.error(
                f"{name!r} leads out of the frames folder",
                "file_names",
                frame,
                remedy="Use paths below frames_root",
            )
    folder = str(PurePosixPath(frames[0]).parent)
    return Video(
        id=identifier,
        name=folder if folder != "." else str(identifier),
        height=record.integer("height", minimum=1, maximum=LARGEST_SIDE),
        width=record.integer("width", minimum=1, maximum=LARGEST_SIDE),
        frames=tuple(frames),
    )


def _tracks(root: Record, videos: dict[int, Video], categories: set[int]) -> tuple[Track, ...]:
    records = root.records("annotations")
    bar = tqdm(records, desc="annotations", unit="track", delay=2, leave=False)
    tracks = tuple(_track(record, videos, categories) for record in bar)
    _refuse_duplicates([(t.id, r) for t, r in zip(tracks, records, strict=True)])
    return tracks


def _track(record: Record, videos: dict[int, Video], categories: set[int]) -> Track:
    video_id = record.integer("video_id")
    if video_id not in videos:
        raise record.error(
            f"there is no video {video_id} in this file",
            "video_id",
            remedy="List the video, or drop its annotations",
        )
    video = videos[video_id]
    record.video = video.name
    category_id = record.integer("category_id")
    if category_id not in categories:
        known = ", ".join(str(known) for known in sorted(categories)[:8])
        raise record.error(
            f"unknown category {category_id}",
            "category_id",
            remedy=f"This file's categories are {known}{', ...' if len(categories) > 8 else ''}",
        )
    track_masks = parse_masks(record, video) if record.has("segmentations") else None
    boxes = _per_frame(record, "bboxes", video, _box)
    areas = _per_frame(record, "areas", video, _area)
    if track_masks is not None:
        boxes = _fill(boxes, track_masks, masks.tight_box)
        boxes = tuple(mask and box for box, mask in zip(boxes, track_masks, strict=True))
        areas = _fill(areas, track_masks, lambda mask: float(masks.area(mask)))
    return Track(
        id=record.integer("id"),
        video_id=video_id,
        category_id=category_id,
        boxes=boxes,
        masks=track_masks,
        areas=areas,
        points=_per_frame(record, "points", video, _points),
        is_crowd=record.flag("iscrowd"),
    )


def _fill(given: tuple | None, track_masks: tuple[RLE | None, ...], derive: Callable) -> tuple:
    """`given` a frame, with what the file leaves out derived from the masks."""
    given = given or (None,) * len(track_masks)
    return tuple(
        derive(mask) if value is None and mask is not None else value
        for value, mask in zip(given, track_masks, strict=True)
    )


def parse_masks(record: Record, video: Video) -> tuple[RLE | None, ...]:
    """The record's `segmentations`, one mask a frame of `video`, each checked against its size."""
    record.list("segmentations", length=video.length)
    return _per_frame(record, "segmentations", video, _mask)


def _per_frame(record: Record, key: str, video: Video, parse) -> tuple | None:
    """Parse the list under `key`, one entry a frame, null where the object is not visible."""
    if not record.has(key):
        return None
    entries = record.list(key, length=video.length)
    return tuple(
        None if entry is None else parse(record, key, video, frame, entry)
        for frame, entry in enumerate(entries)
    )


def _mask(record: Record, key: str, video: Video, frame: int, entry: Any) -> RLE | None:
    """Compressed or plain RLE, or polygons."""
    if isinstance(entry, list):
        return _polygons(record, key, video, frame, entry)
    if not isinstance(entry, dict) or "counts" not in entry or "size" not in entry:
        raise record.error(
            "should be an RLE ({size, counts}), a list of polygons, or null", key, frame
        )
    if entry["size"] != [video.height, video.width]:
        raise record.error(
            f"the RLE's size is {_size(entry['size'])}, "
            f"the video's is {video.height} x {video.width} (height x width)",
            key,
            frame,
            remedy="Encode the mask at the size of the frames",
        )
    counts = entry["counts"]
    if isinstance(counts, str):
        try:
            total = int(masks.run_lengths(counts).sum())
        except ValueError as error:
            raise record.error(
                f"the RLE is damaged: {error}", key, frame, remedy="Encode the mask again"
            ) from None
    elif isinstance(counts, list) and all(type(run) is int and run >= 0 for run in counts):
        total = sum(counts)
    else:
        raise record.error("the RLE's counts should be a text or a list of runs", key, frame)
    if total != video.height * video.width:
        raise record.error(
            f"the RLE covers {total} pixels, the frame has {video.height * video.width}",
            key,
            frame,
            remedy="Encode the mask at the size of the frames",
        )
    if isinstance(counts, list):
        rle = masks.from_runs(counts, video.height, video.width)
    else:
        rle = RLE(size=[video.height, video.width], counts=counts)
    return rle if masks.area(rle) else None


def _size(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2:
        return " x ".join(map(kind, value))
    return kind(value)


def _polygons(record: Record, key: str, video: Video, frame: int, entry: list) -> RLE | None:
    for polygon in entry:
        if not isinstance(polygon, list) or not all(map(is_number, polygon)):
            raise record.error("a polygon should be a list of numbers x, y, x, y, ...", key, frame)
        if len(polygon) < 6 or len(polygon) % 2:
            raise record.error(
                f"a polygon needs at least 3 points as x, y pairs, has {len(polygon)} numbers",
                key,
                frame,
            )
        if max(map(abs, polygon)) > 10 * max(video.height, video.width):
            raise record.error("a polygon lies far outside the frame", key, frame)
    if not entry:
        return None
    if sum(map(_outline, entry)) > LONGEST_OUTLINE:
        raise record.error(
            f"the polygons' outlines are longer than {LONGEST_OUTLINE:,} pixels", key, frame
        )
    rle = masks.from_polygons(entry, video.height, video.width)
    return rle if masks.area(rle) else None


def _outline(polygon: list[float]) -> float:
    """About how many pixels the closed outline passes."""
    corners = np.array(polygon).reshape(-1, 2)
    return float(np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum())


def _box(record: Record, key: str, video: Video, frame: int, entry: Any) -> Box | None:
    if not isinstance(entry, list) or len(entry) != 4 or not all(map(is_number, entry)):
        raise record.error("a box should be four numbers: x, y, width, height", key, frame)
    x, y, width, height = map(float, entry)
    if width < 0 or height < 0:
        raise record.error(
            f"the box has a negative side: {entry}",
            key,
            frame,
            remedy="Boxes are x, y, width, height, not two corners",
        )
    return (x, y, width, height) if any((x, y, width, height)) else None


def _area(record: Record, key: str, video: Video, frame: int, entry: Any) -> float:
    if not is_number(entry) or entry < 0:
        raise record.error("an area should be a number of pixels", key, frame)
    return float(entry)


def _points(record: Record, key: str, video: Video, frame: int, entry: Any) -> tuple[Point, ...]:
    if not isinstance(entry, list):
        raise record.error("should be a list of points [x, y, 1 or 0]", key, frame)
    points = []
    for point in entry:
        if not isinstance(point, list) or len(point) != 3 or not all(map(is_number, point)):
            raise record.error("a point should be [x, y, 1 or 0]", key, frame)
        x, y, positive = point
        if positive not in (0, 1):
            raise record.error(f"the point {point} should end in 1 or 0", key, frame)
        if not (0 <= x < video.width and 0 <= y < video.height):
            raise record.error(f"the point {point} lies outside the frame", key, frame)
        points.append(Point(int(x), int(y), bool(positive)))
    return tuple(points)


def _refuse_duplicates(identified: list[tuple[int, Record]]) -> None:
    seen: dict[int, Record] = {}
    for identifier, record in identified:
        if identifier in seen:
            raise record.error(
                f"id {identifier} is taken already by {seen[identifier].path}",
                "id",
                remedy="Every id may stand once",
            )
        seen[identifier] = record


def write(dataset: VISDataset, path: str | Path) -> Path:
    """Write the data set's annotations, at whatever level it holds, in the official layout."""
    content: dict[str, Any] = {
        "info": {"description": f"written by evis, supervision: {dataset.supervision}"},
        "licenses": [],
        "categories": [{"id": c.id, "name": c.name} for c in dataset.categories],
        "videos": [
            {
                "id": video.id,
                "height": video.height,
                "width": video.width,
                "length": video.length,
                "file_names": list(video.frames),
            }
            for video in dataset.videos
        ],
    }
    if dataset.supervision != "none":
        content["annotations"] = [
            _annotation(track, dataset.video(track.video_id)) for track in dataset.tracks
        ]
    return files.write_json(path, content)


def _annotation(track: Track, video: Video) -> dict[str, Any]:
    annotation: dict[str, Any] = {
        "id": track.id,
        "video_id": track.video_id,
        "category_id": track.category_id,
        "iscrowd": int(track.is_crowd),
        "height": video.height,
        "width": video.width,
        "length": video.length,
    }
    if track.masks is not None:
        annotation["segmentations"] = track.masks
    if track.boxes is not None:
        annotation["bboxes"] = track.boxes
    if track.areas is not None:
        annotation["areas"] = track.areas
    if track.points is not None:
        annotation["points"] = [
            None if frame is None else [[p.x, p.y, int(p.positive)] for p in frame]
            for frame in track.points
        ]
    return annotation
