"""The fields that YouTube-VIS and COCO annotations share, each checked as it is read."""

from pathlib import PurePosixPath
from typing import Any

import numpy as np

from evis.data import masks
from evis.data.jsonfile import Record, is_number, kind
from evis.data.masks import RLE
from evis.data.types import Box, Category, Point, Track, Video

LARGEST_SIDE = 32_768  # pixels; the run-length code counts in 32 bits
LONGEST_OUTLINE = 1_000_000  # pixels a frame; rasterising takes about 100 bytes each


def categories(root: Record) -> tuple[Category, ...]:
    records = root.records("categories")
    found = tuple(Category(r.integer("id"), r.text("name")) for r in records)
    refuse_duplicates([(c.id, r) for c, r in zip(found, records, strict=True)])
    return found


def refuse_duplicates(identified: list[tuple[int, Record]]) -> None:
    seen: dict[int, Record] = {}
    for identifier, record in identified:
        if identifier in seen:
            raise record.error(
                f"id {identifier} is taken already by {seen[identifier].path}",
                "id",
                remedy="Every id may stand once",
            )
        seen[identifier] = record


def category(record: Record, known: set[int]) -> int:
    """The record's category id, one of the `known` ones of its file."""
    identifier = record.integer("category_id")
    if identifier not in known:
        first = ", ".join(str(some) for some in sorted(known)[:8])
        raise record.error(
            f"unknown category {identifier}",
            "category_id",
            remedy=f"This file's categories are {first}{', ...' if len(known) > 8 else ''}",
        )
    return identifier


def inside(
    record: Record, key: str, name: str, folder: str, frame: int | None = None
) -> PurePosixPath:
    """A file's path, which must not lead out of the folder that files are read from."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise record.error(
            f"{name!r} leads out of the {folder}", key, frame, remedy="Use paths below frames_root"
        )
    return path


def level(root: Record, tracks: tuple[Track, ...]) -> Any:
    """The strongest level that every track supports."""
    for strongest, entries, key in (
        ("mask", "masks", "segmentations"),
        ("box", "boxes", "bboxes"),
        ("point", "points", "points"),
    ):
        bearing = sum(getattr(track, entries) is not None for track in tracks)
        if bearing == len(tracks):
            return strongest
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


def mask(record: Record, key: str, video: Video, frame: int, entry: Any) -> RLE | None:
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


def box(record: Record, key: str, video: Video, frame: int, entry: Any) -> Box | None:
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


def area(record: Record, key: str, video: Video, frame: int, entry: Any) -> float:
    if not is_number(entry) or entry < 0:
        raise record.error("an area should be a number of pixels", key, frame)
    return float(entry)


def points(record: Record, key: str, video: Video, frame: int, entry: Any) -> tuple[Point, ...]:
    if not isinstance(entry, list):
        raise record.error("should be a list of points [x, y, 1 or 0]", key, frame)
    found = []
    for point in entry:
        if not isinstance(point, list) or len(point) != 3 or not all(map(is_number, point)):
            raise record.error("a point should be [x, y, 1 or 0]", key, frame)
        x, y, positive = point
        if positive not in (0, 1):
            raise record.error(f"the point {point} should end in 1 or 0", key, frame)
        if not (0 <= x < video.width and 0 <= y < video.height):
            raise record.error(f"the point {point} lies outside the frame", key, frame)
        found.append(Point(int(x), int(y), bool(positive)))
    return tuple(found)
