"""COCO instances json as a data set of one-frame videos: read with every field checked, written.

A picture is a video of one frame, an instance a track of length one, so that stage one, which
trains on still pictures, runs through the same code as the stages that train on videos.
"""

from pathlib import Path
from typing import Any

from evis.data import fields, files, masks
from evis.data.errors import DataError
from evis.data.frames import picture_folder
from evis.data.jsonfile import Record, load
from evis.data.types import Track, Video, VISDataset


def read(annotations_json: str | Path, frames_root: str | Path | None = None) -> VISDataset:
    """Read an instances file; pictures stay on disk below `frames_root` until asked for.

    Boxes and areas are taken from the masks where the file lists none. An empty mask and an
    all-zero box count as "not visible". A file without annotations (the official test split) gives
    a data set without tracks.
    """
    file = Path(annotations_json)
    root = Record(load(file), file=file, path="")
    categories = fields.categories(root)
    images = _images(root)
    tracks: tuple[Track, ...] = ()
    if root.has("annotations"):
        tracks = _tracks(root, {image.id: image for image in images}, {c.id for c in categories})
    reader = picture_folder(frames_root, "the pictures")
    level = fields.level(root, tracks) if root.has("annotations") else "none"
    return VISDataset(images, tracks, categories, reader, level)


def _images(root: Record) -> tuple[Video, ...]:
    records = root.records("images")
    if not records:
        raise root.error(
            "the set is empty: it lists no picture", "images", remedy="Use another file or split"
        )
    images = tuple(_image(record) for record in records)
    fields.refuse_duplicates([(i.id, r) for i, r in zip(images, records, strict=True)])
    return images


def _image(record: Record) -> Video:
    record.video = identifier = record.integer("id")
    name = record.text("file_name")
    path = fields.inside(record, "file_name", name, "pictures' folder")
    return Video(
        id=identifier,
        name=str(path.with_suffix("")),
        height=record.integer("height", minimum=1, maximum=fields.LARGEST_SIDE),
        width=record.integer("width", minimum=1, maximum=fields.LARGEST_SIDE),
        frames=(name,),
    )


def _tracks(root: Record, images: dict[int, Video], categories: set[int]) -> tuple[Track, ...]:
    records = root.records("annotations")
    tracks = tuple(_track(record, images, categories) for record in records)
    fields.refuse_duplicates([(t.id, r) for t, r in zip(tracks, records, strict=True)])
    return tracks


def _track(record: Record, images: dict[int, Video], categories: set[int]) -> Track:
    image_id = record.integer("image_id")
    if image_id not in images:
        raise record.error(
            f"there is no picture {image_id} in this file",
            "image_id",
            remedy="List the picture, or drop its annotations",
        )
    image = images[image_id]
    record.video = image.name
    category_id = fields.category(record, categories)
    mask = _value(record, "segmentation", image, fields.mask)
    box = _value(record, "bbox", image, fields.box)
    area = _value(record, "area", image, fields.area)
    masked = record.has("segmentation")
    if masked and mask is None:
        box = area = None
    elif masked:
        box = masks.tight_box(mask) if box is None else box
        area = float(masks.area(mask)) if area is None else area
    return Track(
        id=record.integer("id"),
        video_id=image_id,
        category_id=category_id,
        boxes=(box,) if masked or record.has("bbox") else None,
        masks=(mask,) if masked else None,
        areas=(area,) if masked or record.has("area") else None,
        is_crowd=record.flag("iscrowd"),
    )


def _value(record: Record, key: str, image: Video, parse) -> Any:
    return parse(record, key, image, None, record.value[key]) if record.has(key) else None


def write(dataset: VISDataset, path: str | Path) -> Path:
    """Write a data set of one-frame videos, with its masks or boxes, in COCO's layout."""
    for video in dataset.videos:
        if video.length != 1:
            raise DataError(
                f"has {video.length} frames, COCO's layout holds single pictures",
                video=video.name,
                remedy="Write videos with evis.data.ytvis",
            )
    if dataset.supervision == "point":
        raise DataError("COCO's layout holds no points", remedy="Write them with evis.data.ytvis")
    content: dict[str, Any] = {
        "info": {"description": f"written by evis, supervision: {dataset.supervision}"},
        "licenses": [],
        "categories": [{"id": c.id, "name": c.name} for c in dataset.categories],
        "images": [
            {
                "id": image.id,
                "height": image.height,
                "width": image.width,
                "file_name": image.frames[0],
            }
            for image in dataset.videos
        ],
    }
    if dataset.supervision != "none":
        content["annotations"] = [_annotation(track) for track in dataset.tracks]
    return files.write_json(path, content)


def _annotation(track: Track) -> dict[str, Any]:
    annotation: dict[str, Any] = {
        "id": track.id,
        "image_id": track.video_id,
        "category_id": track.category_id,
        "iscrowd": int(track.is_crowd),
    }
    if track.masks is not None:
        annotation["segmentation"] = track.masks[0] or []
    if track.boxes is not None:
        annotation["bbox"] = track.boxes[0] or [0, 0, 0, 0]
    if track.areas is not None and track.areas[0] is not None:
        annotation["area"] = track.areas[0]
    return annotation
