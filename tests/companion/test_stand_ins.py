"""What judges the stand-ins: masks and names of objects, counted by hand on a small set."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from evis.companion import stand_ins, store
from evis.data import masks
from evis.data.types import Category, Track, Video, VISDataset

RED, BLUE, GREY = (250, 0, 0), (0, 0, 250), (90, 90, 90)
COLOURS = {1: RED, 2: BLUE}


def rectangle(row, column, height, width):
    mask = np.zeros((24, 36), dtype=bool)
    mask[row : row + height, column : column + width] = True
    return mask


SHOWN = {  # video -> (category, mask of each frame) of each object
    1: [
        (1, [rectangle(2, 2, 6, 6), rectangle(2, 2, 10, 10)]),
        (2, [None, rectangle(14, 20, 8, 9)]),
    ],
    2: [(1, [rectangle(4, 20, 12, 12), None])],
}


def small():
    tracks = [
        Track(0, video, category).with_masks(
            [None if mask is None else masks.encode(mask) for mask in frames]
        )
        for video, objects in SHOWN.items()
        for category, frames in objects
    ]
    videos = tuple(Video(n, f"v{n}", 24, 36, ("0.png", "1.png")) for n in SHOWN)

    def read(video, frame):
        picture = np.full((24, 36, 3), GREY, np.uint8)
        for category, frames in SHOWN[video.id]:
            if frames[frame] is not None:
                picture[frames[frame]] = COLOURS[category]
        return picture

    numbered = tuple(replace(track, id=n) for n, track in enumerate(tracks, 1))
    return VISDataset(videos, numbered, (Category(1, "red"), Category(2, "blue")), read)


@dataclass(frozen=True)
class Known:
    """A labeller that gives the true masks of these objects, and one of nothing."""

    numbers: tuple[int, ...]
    origin = "a test"
    weights = ()

    def seen(self, dataset):
        return replace(dataset.bare(), categories=(Category(1, "object"),))

    def __call__(self, dataset, progress=False):
        (video,) = dataset.videos
        true = [track for track in small().tracks_of(video.id) if track.id in self.numbers]
        wrong = Track(9, video.id, 1).with_masks([masks.encode(rectangle(20, 0, 3, 3))] * 2)
        return [replace(track, category_id=1) for track in true] + [wrong]


def test_masks_are_counted_whatever_their_class():
    found = stand_ins.mask_scores(small(), Known((1, 3)), progress=False)
    assert found["found"] == pytest.approx(2 / 3) and found["mIoU"] == pytest.approx(2 / 3)
    assert 0 < found["AP"] < found["AR10"] == pytest.approx(2 / 3)
    all_of_them = stand_ins.mask_scores(small(), Known((1, 2, 3)), progress=False)
    assert all_of_them["found"] == 1 > all_of_them["AP"] > found["AP"]


def test_objects_are_cut_out_where_most_is_seen_of_them():
    crops, wanted = stand_ins.objects(small())
    assert [crop.shape for crop in crops] == [(10, 10, 3), (8, 9, 3), (12, 12, 3)]
    assert list(wanted) == [1, 2, 1]
    for crop, category in zip(crops, wanted, strict=True):
        assert (crop == COLOURS[category]).all()


class Colours:
    """Knows the word red; whatever else there is, is told by how blue it is."""

    scale = 10.0

    def images(self, pictures):
        return np.stack([picture.mean((0, 1))[[0, 2]] + 1 for picture in pictures])

    def texts(self, names):
        return np.eye(2)[: len(names)]

    def knows(self, name):
        return name == "red"


def test_names_are_counted_by_hand():
    found = stand_ins.name_scores(small(), Colours())
    assert found == {
        "objects": 3,
        "accuracy": 1.0,
        "accuracy of known names": 1.0,
        "most frequent class": pytest.approx(2 / 3),
    }
    swapped = replace(small(), categories=(Category(1, "blue"), Category(2, "red")))
    swapped = replace(swapped, tracks=tuple(replace(t, category_id=2) for t in swapped.tracks))
    wrong = stand_ins.name_scores(swapped, Colours())
    assert wrong["accuracy"] == pytest.approx(1 / 3) == wrong["accuracy of known names"]
    assert wrong["most frequent class"] == 1


def test_the_default_is_what_has_the_higher_ap():
    def row(ap):
        return store.ResultRow({"name": "x"}, "d", 0, {"AP": ap}, None, None, {}, {}, 0.0, "")

    assert stand_ins.default({"colour": row(0.2), "toy_dino": row(0.3)}) == "toy_dino"
    assert stand_ins.default({"colour": row(0.2), "toy_dino": row(0.1)}) == "colour"


def test_the_default_of_labels_is_the_one_that_was_measured_best():
    from evis.labels.videos import Cuts

    measured = {name: store.find(*stand_ins.masks_key(name)) for name in stand_ins.FEATURES}
    assert stand_ins.default(measured) == Cuts().features
