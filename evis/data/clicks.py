"""Clicks on a video of one's own, as a small json that a notebook or any program can write.

    {"videos": [{
        "name": "walk", "height": 360, "width": 640,
        "objects": [{"category": "dog", "clicks": [[0, 312, 140, 1], [0, 20, 35, 0]]}]
    }]}

A video is called as in the data set: the file or folder without its ending. A click is the frame,
counted from 0, x and y in pixels of that size, and 1 where it lies on the object, 0 where it does
not. In a frame without clicks an object counts as not visible.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evis.data import fields, files
from evis.data.errors import DataError
from evis.data.jsonfile import Record, brief, load
from evis.data.types import Category, Point, Track, Video, VISDataset


def read(path: str | Path, dataset: VISDataset) -> VISDataset:
    """The data set's videos under the clicks in a file, which are all its labels: "point".

    Categories are the data set's, matched by name; one without any, anyone's video, gets those of
    the file, in the order of the alphabet. Videos that the file leaves out have no track.
    """
    root = Record(load(path), file=Path(path), path="")
    videos = {video.name: video for video in dataset.videos}
    found: list[tuple[str, Track]] = []  # category, and the track without it
    seen: set[str] = set()
    for index, value in enumerate(root.list("videos")):
        record = Record(value, file=root.file, path=f"videos[{index}]")
        record.video = name = record.text("name")
        if name not in videos or name in seen:
            problem = "stands there twice" if name in seen else "is no video of the data set"
            remedy = f"Its videos are {', '.join([*videos][:5])}{', ...' * (len(videos) > 5)}"
            raise record.error(problem, "name", remedy=remedy)
        seen.add(name)
        for number, entry in enumerate(record.list("objects")):
            place = f"videos[{index}].objects[{number}]"
            object_ = Record(entry, file=root.file, path=place, video=name)
            points = _points(object_, _checked_size(record, videos[name]))
            track = Track(len(found) + 1, videos[name].id, 0, points=points)
            found.append((object_.text("category"), track))
    categories = dataset.categories or tuple(
        Category(number, name) for number, name in enumerate(sorted({name for name, _ in found}), 1)
    )
    ids = {category.name: category.id for category in categories}
    if unknown := sorted({name for name, _ in found} - ids.keys()):
        problem = f"{unknown[0]!r} is no category of the data set"
        raise root.error(problem, "category", remedy=f"It has {', '.join(ids)}")
    tracks = tuple(replace(track, category_id=ids[name]) for name, track in found)
    return replace(dataset.bare(), tracks=tracks, categories=categories, supervision="point")


def write(dataset: VISDataset, path: str | Path) -> Path:
    """Write the clicks of a data set, as `read` takes them."""
    if "points" not in dataset.kinds:
        problem = f'holds no clicks, but labels of the level "{dataset.supervision}"'
        raise DataError(problem, remedy='Weaken a data set with masks to "point"')
    return files.write_json(path, {"videos": [_row(dataset, video) for video in dataset.videos]})


def _row(dataset: VISDataset, video: Video) -> dict[str, Any]:
    objects = [
        {
            "category": dataset.category_names[track.category_id],
            "clicks": [
                [frame, point.x, point.y, int(point.positive)]
                for frame, points in enumerate(track.points)
                for point in points or ()
            ],
        }
        for track in dataset.tracks_of(video.id)
    ]
    size = {"height": video.height, "width": video.width}
    return {"name": video.name, **size, "objects": objects}


def _checked_size(record: Record, video: Video) -> Video:
    size = record.integer("height"), record.integer("width")
    if size != (video.height, video.width):
        problem = f"the clicks are on frames of {size[0]} x {size[1]} (height x width), the video's"
        remedy = "Click on the frames as they are stored, or scale x and y"
        raise record.error(f"{problem} are {video.height} x {video.width}", remedy=remedy)
    return video


def _points(record: Record, video: Video) -> tuple[tuple[Point, ...] | None, ...]:
    of_frames: list[list[Point]] = [[] for _ in range(video.length)]
    for number, click in enumerate(record.list("clicks")):
        frame = click[0] if isinstance(click, list) and len(click) == 4 else None
        fail = partial(record.error, key=f"clicks[{number}]")
        if type(frame) is not int:
            raise fail(f"a click should be [frame, x, y, 1 or 0], is {brief(click)}")
        if not 0 <= frame < video.length:
            raise fail(f"there is no frame {frame}; the video has {video.length}")
        of_frames[frame] += fields.points([click[1:]], video, partial(fail, frame=frame))
    return tuple(tuple(points) or None for points in of_frames)
