"""COCO instances json: the official file's quirks, bad input, pictures, and the way back."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

from evis.data import Category, DataError, Track, Video, VISDataset, annotations, masks
from evis.data.supervision import weaken

HEIGHT, WIDTH = 12, 16
CROWD = np.zeros((HEIGHT, WIDTH), dtype=bool)
CROWD[2:9, 5:8] = True
DOCUMENT = {
    "info": {"description": "COCO 2017 Dataset"},
    "licenses": [],
    "categories": [
        {"supercategory": "person", "id": 1, "name": "person"},
        {"supercategory": "indoor", "id": 90, "name": "toothbrush"},
    ],
    "images": [
        {"id": 139, "file_name": "000000000139.jpg", "height": HEIGHT, "width": WIDTH},
        {"id": 7, "file_name": "000000000007.jpg", "height": HEIGHT, "width": WIDTH},
        {"id": 285, "file_name": "000000000285.jpg", "height": HEIGHT, "width": WIDTH},
    ],
    "annotations": [
        {
            "id": 900100259080,
            "image_id": 7,
            "category_id": 90,
            "iscrowd": 0,
            "segmentation": [[1, 1, 5, 1, 5, 4, 1, 4], [8, 8, 12, 8, 12, 10, 8, 10]],
            "bbox": [1.25, 1, 10.5, 9],
            "area": 19.5,
        },
        {
            "id": 3,
            "image_id": 139,
            "category_id": 1,
            "iscrowd": 1,
            "segmentation": {
                "size": [HEIGHT, WIDTH],
                "counts": masks.run_lengths(masks.encode(CROWD)["counts"]).tolist(),
            },
        },
    ],
}


@pytest.fixture
def document() -> dict:
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, frames_root=None):
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content))
        return annotations.read(path, frames_root)

    return write_and_read


def test_the_official_layout_is_read(read, document):
    dataset = read(document)
    assert dataset.supervision == "mask"
    assert dataset.categories == (Category(1, "person"), Category(90, "toothbrush"))
    assert [(v.id, v.name, v.length) for v in dataset.videos] == [
        (139, "000000000139", 1),
        (7, "000000000007", 1),
        (285, "000000000285", 1),
    ]
    brush, crowd = dataset.tracks
    assert (brush.id, brush.video_id, brush.category_id) == (900100259080, 7, 90)
    assert brush.boxes == ((1.25, 1, 10.5, 9),) and brush.areas == (19.5,)
    assert not brush.is_crowd and crowd.is_crowd
    assert dataset.tracks_of(285) == ()


def test_polygons_and_crowd_runs_become_masks(read, document):
    brush, crowd = read(document).tracks
    both = np.zeros((HEIGHT, WIDTH), dtype=bool)
    both[1:4, 1:5] = both[8:10, 8:12] = True
    assert np.array_equal(brush.mask(0), both)
    assert np.array_equal(crowd.mask(0), CROWD)
    assert crowd.boxes == ((5, 2, 3, 7),) and crowd.areas == (21,)  # not in the file


def test_a_mask_without_a_pixel_is_not_visible(read, document):
    for empty in ([], [[3, 3, 3, 3, 3, 3]]):
        document["annotations"][0]["segmentation"] = empty
        brush = read(document).tracks[0]
        assert (brush.masks, brush.boxes) == ((None,), (None,))


def test_a_picture_without_a_name_of_its_own_is_named_by_its_id(read, document):
    document["images"][0]["file_name"] = "."
    assert read(document).video(139).name == "139"


def test_boxes_alone_are_box_supervision(read, document):
    for annotation in document["annotations"]:
        del annotation["segmentation"]
        annotation["bbox"] = [1, 2, 3, 4]
    dataset = read(document)
    assert dataset.supervision == "box" and dataset.tracks[0].masks is None
    document["annotations"][0]["bbox"] = [0, 0, 0, 0]
    assert read(document).tracks[0].boxes == (None,)


def test_a_file_without_annotations_has_none(read, document):
    del document["annotations"]
    dataset = read(document)
    assert dataset.supervision == "none" and dataset.tracks == ()


def test_pictures_are_read_when_asked_for(read, document, tmp_path):
    root = tmp_path / "val2017"
    root.mkdir()
    dataset = read(document, root)
    with pytest.raises(DataError, match="the frame is missing"):
        dataset.frame(139, 0)
    Image.new("RGB", (WIDTH, HEIGHT), (9, 8, 7)).save(root / "000000000139.jpg", "PNG")
    assert dataset.frame(139, 0).tolist() == [[[9, 8, 7]] * WIDTH] * HEIGHT
    with pytest.raises(DataError, match="there is no such folder"):
        read(document, tmp_path / "nowhere")


DAMAGE = {
    "no pictures": (lambda d: d["images"].clear(), "images", "lists no picture"),
    "pictures missing": (lambda d: d.pop("images"), None, "lists neither videos .* nor images"),
    "categories missing": (lambda d: d.pop("categories"), "categories", "is missing"),
    "picture's id twice": (
        lambda d: d["images"][1].update(id=139),
        "images[1].id",
        "taken already by images",
    ),
    "category's id twice": (
        lambda d: d["categories"][1].update(id=1),
        "categories[1].id",
        "taken already",
    ),
    "annotation's id twice": (
        lambda d: d["annotations"][1].update(id=900100259080),
        "annotations[1].id",
        "taken already",
    ),
    "name missing": (
        lambda d: d["images"][0].pop("file_name"),
        "images[0].file_name",
        "is missing",
    ),
    "name leads out": (
        lambda d: d["images"][0].update(file_name="../x.jpg"),
        "images[0].file_name",
        "leads out of",
    ),
    "a name that is none": (
        lambda d: d["images"][0].update(file_name=""),
        "images[0].file_name",
        "should be a text",
    ),
    "no height": (
        lambda d: d["images"][2].update(height=0),
        "images[2].height",
        "between 1 and",
    ),
    "unknown picture": (
        lambda d: d["annotations"][0].update(image_id=8),
        "annotations[0].image_id",
        "should be one of 7, 139, 285, is 8",
    ),
    "a gap between categories": (
        lambda d: d["annotations"][0].update(category_id=2),
        "annotations[0].category_id",
        "should be one of 1, 90, is 2",
    ),
    "RLE of another size": (
        lambda d: d["annotations"][1]["segmentation"].update(size=[WIDTH, HEIGHT]),
        "annotations[1].segmentation",
        "size",
    ),
    "RLE too short": (
        lambda d: d["annotations"][1]["segmentation"].update(counts=[3, 4]),
        "annotations[1].segmentation",
        "covers 7 pixels",
    ),
    "two-point polygon": (
        lambda d: d["annotations"][0].update(segmentation=[[1, 1, 2, 2]]),
        "annotations[0].segmentation",
        "at least 3 points",
    ),
    "box as corners": (
        lambda d: d["annotations"][0].update(bbox=[5, 5, -3, -3]),
        "annotations[0].bbox",
        "negative side",
    ),
    "negative area": (
        lambda d: d["annotations"][0].update(area=-1),
        "annotations[0].area",
        "number of pixels",
    ),
    "crowd flag": (
        lambda d: d["annotations"][0].update(iscrowd=2),
        "annotations[0].iscrowd",
        "0 or 1",
    ),
    "some without masks": (
        lambda d: d["annotations"][0].pop("segmentation"),
        "annotations",
        "1 of 2 tracks",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_bad_input_is_one_clear_error(read, document, name):
    damage, field, problem = DAMAGE[name]
    damage(document)
    with pytest.raises(DataError, match=problem) as raised:
        read(document)
    assert raised.value.field == field
    assert raised.value.file.name == "instances.json"


@pytest.mark.parametrize("level", ["mask", "box", "none"])
def test_what_is_written_is_read_back(read, document, tmp_path, level):
    document["annotations"][0]["segmentation"] = []  # one that is not visible
    dataset = weaken(read(document), level)
    again = annotations.read(annotations.write(dataset, tmp_path / "again.json", "coco"))
    assert again == dataset


def test_what_the_layout_cannot_hold_is_not_written(read, document, tmp_path):
    path = tmp_path / "out.json"
    video = Video(1, "clip", HEIGHT, WIDTH, ("a.jpg", "b.jpg"))
    track = Track(1, 1, 1, boxes=((0, 0, 1, 1), None))
    clips = VISDataset((video,), (track,), (Category(1, "x"),), supervision="box")
    with pytest.raises(DataError, match="COCO's layout holds single pictures"):
        annotations.write(clips, path, "coco")
    with pytest.raises(DataError, match="and no points"):
        annotations.write(weaken(read(document), "point"), path, "coco")
    assert not path.exists()
