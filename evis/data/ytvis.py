"""YouTube-VIS 2019/2021 and OVIS json: read with every field checked, and written back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm.auto import tqdm

from evis.data import fields, files, masks
from evis.data.frames import picture_folder
from evis.data.jsonfile import Record, is_text, kind, load
from evis.data.masks import RLE
from evis.data.types import Track, Video, VISDataset


def read(annotations_json: str | Path, frames_root: str | Path | None = None) -> VISDataset:
    """Read an annotation file; frames stay on disk below `frames_root` until asked for.

    A track keeps what the file gives: masks, boxes and areas a frame (boxes and areas are taken
    from the masks where the file lists none), or evis's own `points`. An empty mask and an all-zero
    box count as "not visible", and so does a box in a frame whose mask is null. Files without
    annotations (the official valid and test splits) give a data set without tracks.
    """
    dataset = parse(load(annotations_json), Path(annotations_json))
    return replace(dataset, read_frame=picture_folder(frames_root, "one folder of frames a video"))


def parse(content: Any, file: Path | None = None) -> VISDataset:
    """The parsed json as a data set without frames; `file` is what errors name."""
    root = Record(content, file=file, path="")
    categories = fields.categories(root)
    videos = _videos(root)
    if not root.has("annotations"):
        return VISDataset(videos, (), categories, supervision="none")
    tracks = _tracks(root, {video.id: video for video in videos}, {c.id for c in categories})
    return VISDataset(videos, tracks, categories, supervision=fields.level(root, tracks))


def _videos(root: Record) -> tuple[Video, ...]:
    records = root.records("videos")
    if not records:
        raise root.error(
            "the set is empty: it lists no video", "videos", remedy="Use another file or split"
        )
    videos = tuple(_video(record) for record in records)
    fields.refuse_duplicates([(v.id, r) for v, r in zip(videos, records, strict=True)])
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
        fields.inside(record, "file_names", name, "frames folder", frame)
    folder = str(PurePosixPath(frames[0]).parent)
    return Video(
        id=identifier,
        name=folder if folder != "." else str(identifier),
        height=record.integer("height", minimum=1, maximum=fields.LARGEST_SIDE),
        width=record.integer("width", minimum=1, maximum=fields.LARGEST_SIDE),
        frames=tuple(frames),
    )


def _tracks(root: Record, videos: dict[int, Video], categories: set[int]) -> tuple[Track, ...]:
    records = root.records("annotations")
    bar = tqdm(records, desc="annotations", unit="track", delay=2, leave=False)
    tracks = tuple(_track(record, videos, categories) for record in bar)
    fields.refuse_duplicates([(t.id, r) for t, r in zip(tracks, records, strict=True)])
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
    category_id = fields.category(record, categories)
    track_masks = parse_masks(record, video) if record.has("segmentations") else None
    boxes = _per_frame(record, "bboxes", video, fields.box)
    areas = _per_frame(record, "areas", video, fields.area)
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
        points=_per_frame(record, "points", video, fields.points),
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
    return _per_frame(record, "segmentations", video, fields.mask)


def _per_frame(record: Record, key: str, video: Video, parse) -> tuple | None:
    """Parse the list under `key`, one entry a frame, null where the object is not visible."""
    if not record.has(key):
        return None
    entries = record.list(key, length=video.length)
    return tuple(
        None if entry is None else parse(record, key, video, frame, entry)
        for frame, entry in enumerate(entries)
    )


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
