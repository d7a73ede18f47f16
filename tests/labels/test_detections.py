"""Results files of detectors as labels: of pictures and videos, and what is wrong with others."""

import json
import zipfile

import numpy as np
import pytest
from pycocotools import mask as coco

from evis.data import DataError, annotations, masks, predictions
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import from_file

PICTURE, FILM = (
    Video(3, "street", 8, 10, ("street.jpg",)),
    Video(9, "walk", 8, 10, ("walk/0.jpg", "walk/1.jpg")),
)
MASK = np.zeros((8, 10), bool)
MASK[2:5, 3:7] = True
RLE = dict(masks.encode(MASK))
CAT = Category(17, "cat")


@pytest.fixture
def dataset():
    """Annotated with what no label may show."""
    full = masks.encode(np.ones((8, 10), bool))
    tracks = (
        Track(1, 3, 17).with_masks((full,)),
        Track(2, 9, 17).with_masks((full, full)),
    )
    return VISDataset((PICTURE, FILM), tracks, (CAT,))


def entry(**changes):
    row = {"image_id": 3, "category_id": 1, "bbox": [3, 2, 4, 3], "score": 0.8}
    return row | {"segmentation": RLE} | changes


def of_film(**changes):
    return {
        "video_id": 9,
        "category_id": 1,
        "score": 0.9,
        "segmentations": [None, RLE],
    } | changes


def written(tmp_path, *rows):
    path = tmp_path / "found.json"
    path.write_text(json.dumps(rows))
    return path


def test_pictures_and_videos_become_labels_of_objects(tmp_path, dataset):
    rows = entry(), of_film(), entry(score=0.69), entry(score=0.7, category_id=80)
    found = from_file(written(tmp_path, *rows), dataset)
    assert found.categories == (Category(1, "object"),)
    assert [(t.id, t.video_id, t.category_id) for t in found.tracks] == [
        (1, 3, 1),
        (2, 9, 1),
        (3, 3, 1),
    ]
    assert np.array_equal(found.tracks[0].mask(0), MASK)
    assert found.tracks[1].masks == (None, RLE) and found.tracks[1].boxes[1] == (3, 2, 4, 3)
    assert found.tracks[0].boxes == ((3.0, 2.0, 4.0, 3.0),)
    assert (found.supervision, found.kinds) == ("none", {"masks", "boxes"})
    assert found.origin == "detections of found.json, scores from 0.7"
    assert weaken(found, "none") == found
    again = annotations.read(annotations.write(found, tmp_path / "labels.json"))
    assert (again.tracks, again.origin) == (found.tracks, found.origin)


def test_what_a_detector_calls_its_classes_may_count(tmp_path, dataset):
    path = written(tmp_path, entry(category_id=17))
    found = from_file(path, dataset, 0.5, dataset.categories, "CutLER (Cascade, ImageNet)")
    assert found.categories == (CAT,) and found.tracks[0].category_id == 17
    assert found.origin == "CutLER (Cascade, ImageNet), scores from 0.5"
    with pytest.raises(DataError, match=r"\[0\].category_id: should be one of 17, is 1"):
        from_file(written(tmp_path, entry()), dataset, classes=dataset.categories)


def test_no_label_of_the_set_gets_in(tmp_path, dataset):
    path = written(tmp_path, entry(), of_film())
    bare = from_file(path, weaken(dataset, "none"))
    assert from_file(path, dataset) == bare


def test_masks_come_as_cocos_tools_write_them(tmp_path, dataset):
    polygon = [[3, 2, 7, 2, 7, 5, 3, 5]]
    runs = {"size": [8, 10], "counts": [26, 3, 5, 3, 5, 3, 5, 3, 27]}
    found = from_file(written(tmp_path, *(entry(segmentation=s) for s in (polygon, runs))), dataset)
    for track in found.tracks:
        assert np.array_equal(track.mask(0), MASK)
    assert coco.decode(found.tracks[1].masks[0]).sum() == 12
    empty = dict(masks.encode(0 * MASK))
    assert from_file(written(tmp_path, entry(segmentation=empty)), dataset).tracks == ()


def test_own_results_come_in_zipped_too(tmp_path, dataset):
    tracks = [PredictedTrack(9, 17, 0.75, (RLE, None))]
    found = from_file(predictions.write(tracks, tmp_path / "r.zip"), dataset)
    assert found.tracks[0].masks == (RLE, None)
    assert zipfile.is_zipfile(tmp_path / "r.zip")


def test_no_detections_are_an_empty_set(tmp_path, dataset):
    found = from_file(written(tmp_path), dataset)
    assert found.tracks == () and found.origin and found.videos == dataset.videos
    assert from_file(written(tmp_path, entry()), dataset, least=0.9).tracks == ()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (entry(image_id=4), r"field \[1\].image_id: should be one of 3, 9, is 4"),
        (entry(image_id="3"), r"\[1\].image_id: should be a whole number, is '3'"),
        (entry(image_id=9), r"walk, field \[1\].image_id: says a picture, and it is a video of 2"),
        (entry(image_id=None), r"field \[1\]: should have image_id, of a picture, or video_id"),
        (entry(video_id=3), r"field \[1\]: should have image_id, of a picture, or video_id"),
        (entry(score=None), r"video street, field \[1\].score: should be a number, is null"),
        (entry(score=True), r"\[1\].score: should be a number, is True"),
        (entry(segmentation=None), r"street, field \[1\].segmentation: is missing. Labels need"),
        (entry(segmentation="m"), r"\[1\].segmentation: should be an RLE"),
        (entry(segmentation={**RLE, "size": [10, 8]}), r"\[1\].segmentation: the RLE's size is"),
        (entry(segmentation={**RLE, "counts": "0"}), r"\[1\].segmentation: the RLE covers 0"),
        (of_film(segmentations=[RLE]), r"walk, field \[1\].segmentations: has 1 entries"),
        (of_film(segmentations=[RLE, 3]), r"walk, frame 1, field \[1\].segmentations: should be"),
        ([], r"field \[1\]: should be an object"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_entry(tmp_path, dataset, row, expected):
    with pytest.raises(DataError, match=expected) as error:
        from_file(written(tmp_path, entry(), row), dataset)
    assert error.value.file == tmp_path / "found.json"


def test_other_files_are_refused(tmp_path, dataset):
    path = tmp_path / "found.json"
    for content, problem in (("{}", "should be a list"), ("[", "broken json"), ("[NaN]", "NaN")):
        path.write_text(content)
        with pytest.raises(DataError, match=f"file .*found.json: .*{problem}"):
            from_file(path, dataset)
    with pytest.raises(DataError, match="absent.json"):
        from_file(tmp_path / "absent.json", dataset)
    for least in (float("nan"), 70, -0.1):
        with pytest.raises(ValueError, match="a score is in"):
            from_file(written(tmp_path), dataset, least=least)
