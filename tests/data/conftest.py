"""A small data set with the quirks of the official files, as json and on disk."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

from evis.data import masks, ytvis

HEIGHT, WIDTH = 20, 30


def block(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """(HEIGHT, WIDTH) bool with one filled rectangle."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def plain(mask: np.ndarray) -> dict:
    """Uncompressed RLE, as YouTube-VIS 2019 has it."""
    runs = masks.run_lengths(masks.encode(mask)["counts"]).tolist()
    return {"counts": runs, "size": list(mask.shape)}


COMPRESSED = dict(masks.encode(block(2, 12, 5, 11)))
DOCUMENT = {
    "info": {"description": "YouTube-VIS", "year": 2019, "version": "1.0"},
    "licenses": [{"id": 1, "name": "CC BY 4.0", "url": "https://creativecommons.org"}],
    "categories": [
        {"supercategory": "object", "id": 2, "name": "giant_panda"},
        {"supercategory": "object", "id": 40, "name": "tennis racket"},
    ],
    "videos": [
        {
            "id": 5,
            "width": WIDTH,
            "height": HEIGHT,
            "length": 4,
            "date_captured": "2019-04-11 00:18:45.652544",
            "license": 1,
            "flickr_url": "",
            "coco_url": "",
            "file_names": [f"0a1b/{frame:05}.jpg" for frame in (0, 5, 10, 15)],
        },
        {"id": 9, "width": WIDTH, "height": HEIGHT, "file_names": ["ff00/img_0000001.jpg"]},
    ],
    "annotations": [
        {
            "id": 1,
            "video_id": 5,
            "category_id": 2,
            "iscrowd": 0,
            "height": HEIGHT,
            "width": WIDTH,
            "length": 1,
            "segmentations": [
                plain(block(1, 11, 4, 10)),
                None,
                COMPRESSED,
                [[6.0, 3.0, 12.0, 3.0, 12.0, 13.0, 6.0, 13.0]],
            ],
            "bboxes": [[4.0, 1.0, 6.0, 10.0], None, [5, 2, 6, 10], [6.0, 3.0, 6.0, 10.0]],
            "areas": [60, None, 60.0, 60.5],
            "occlusion": ["no_occlusion", None, "slight_occlusion", "severe_occlusion"],
        },
        {
            "id": 4,
            "video_id": 5,
            "category_id": 40,
            "iscrowd": 1,
            "segmentations": [plain(block(10, 20, 20, 30)), None, None, None],
            "bboxes": [[20.0, 10.0, 10.0, 10.0], None, None, None],
            "areas": [100, None, None, None],
        },
        {
            "id": 2,
            "video_id": 9,
            "category_id": 2,
            "segmentations": [plain(block(0, 5, 0, 5) | block(7, 9, 8, 9))],
        },
    ],
}


@pytest.fixture
def document() -> dict:
    """A valid annotation file's content, to be changed at will."""
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def read(tmp_path):
    """Write a document as json and read it as annotations."""

    def write_and_read(content, frames_root=None):
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content))
        return ytvis.read(path, frames_root)

    return write_and_read


@pytest.fixture
def dataset(read, document):
    return read(document)


@pytest.fixture
def frames_root(tmp_path, document):
    """A folder with one picture a frame, each of its own colour."""
    root = tmp_path / "JPEGImages"
    for video in document["videos"]:
        for frame, name in enumerate(video["file_names"]):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = np.full((HEIGHT, WIDTH, 3), (40 * frame, 100, video["id"]), dtype=np.uint8)
            Image.fromarray(picture).save(path, format="PNG")
    return root
