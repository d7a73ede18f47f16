"""Masks get the names that their crops look like; what is doubtful goes, filter by filter."""

from dataclasses import replace

import numpy as np
import pytest

from evis.data import masks, toy
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Category, Video, VISDataset
from evis.labels import naming
from evis.labels.naming import Least

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class ByColour:
    """A crop is its mean colour, a name the colour it says."""

    scale = 20.0

    def images(self, pictures):
        means = [picture.reshape(-1, 3).mean(0) + 1e-3 for picture in pictures]
        return np.array(means).reshape(-1, 3)

    def texts(self, names):
        return np.array([COLOURS[name] for name in names], dtype=float)


def dataset(names=tuple(COLOURS), length=2):
    """Frame t: a red, a green and a muddy square; the green one is blue in frame 1."""
    categories = tuple(Category(10 * n, name) for n, name in enumerate(names, start=1))
    video = Video(7, "squares", 8, 24, tuple(f"{t}.png" for t in range(length)))

    def read(video, frame):
        picture = np.zeros((8, 24, 3), dtype=np.uint8)
        picture[:, :8] = COLOURS["red"]
        picture[:, 8:16] = COLOURS["blue" if frame else "green"]
        picture[:, 16:] = (120, 110, 100)
        return picture

    return VISDataset((video,), (), categories, read, "none")


def detections(scores=(0.9, 0.8, 0.75)):
    found = []
    for place, score in enumerate(scores):
        mask = np.zeros((8, 24), dtype=bool)
        mask[1:7, 8 * place + 1 : 8 * place + 7] = True
        found.append(PredictedTrack(7, 1, score, (masks.encode(mask),) * 2))
    return found


def test_every_mask_gets_the_name_that_its_crop_looks_like():
    found = naming.named(dataset(), detections(), ByColour(), progress=False)
    order = np.lexsort([found.detections, found.frames])
    assert found.frames[order].tolist() == [0, 0, 0, 1, 1, 1]
    assert found.classes[order].tolist() == [0, 1, 0, 0, 2, 0]
    clear = found.detections != 2
    assert (found.certainty[clear] > 0.99).all() and (found.certainty[~clear] < 0.9).all()
    assert found.objectness[order].tolist() == [0.9, 0.8, 0.75] * 2


def test_filters_work_one_after_another():
    found = naming.named(dataset(), detections((0.9, 0.5, 0.75)), ByColour(), progress=False)
    after = found.stay(Least(0.7, 0.95, None))
    assert list(after) == ["found", "objectness", "name"]
    assert [keep.sum() for keep in after.values()] == [6, 4, 2]
    assert set(found.detections[after["name"]]) == {0}
    nothing = found.stay(Least(None, None, None))
    assert list(nothing) == ["found"] and nothing["found"].all()


def test_what_is_unlike_its_class_goes_by_prototypes():
    """The muddy square is called red, and is unlike what else is."""
    found = naming.named(dataset(), detections(), ByColour(), progress=False)
    stays = found.stay(Least(None, None, 0.95, instances_each=50))["prototype"]
    reds = found.classes == 0
    assert set(found.detections[reds]) == {0, 2}
    centre = found.embeddings[reds] / np.linalg.norm(found.embeddings[reds], axis=1)[:, None]
    mean = centre.mean(0) / np.linalg.norm(centre.mean(0))
    assert (stays[reds] == (centre @ mean >= 0.95)).all()


def test_masks_of_one_name_are_a_track_and_others_another():
    given, made = dataset(), detections()
    found = naming.named(given, made, ByColour(), progress=False)
    labelled = naming.label(given, made, found, "squares", Least(None, 0.95, None))
    assert (labelled.supervision, labelled.origin) == ("none", "squares")
    shown = {
        (given.category_names[track.category_id], tuple(rle is not None for rle in track.masks))
        for track in labelled.tracks
    }
    assert shown == {("red", (True, True)), ("green", (True, False)), ("blue", (False, True))}
    assert weaken(labelled, "none") is labelled


def test_nothing_found_is_an_empty_valid_result():
    given = dataset()
    found = naming.named(given, [], ByColour(), progress=False)
    assert [keep.shape for keep in found.stay(Least()).values()] == [(0,)] * 4
    assert naming.label(given, [], found, "nothing").tracks == ()


def test_without_names_it_says_so():
    with pytest.raises(DataError, match="no names are given"):
        naming.named(dataset(names=()), detections(), ByColour(), progress=False)


def test_a_video_that_is_not_there_is_named():
    stray = [PredictedTrack(8, 1, 1.0, detections()[0].masks)]
    with pytest.raises(DataError, match="field video_id 8: no such video"):
        naming.named(dataset(), stray, ByColour(), progress=False)


def test_annotated_masks_are_not_read():
    """The firewall: with other masks in the data set, or none, the same looks and labels."""
    truth, noise = toy.sample("toy-ytvis19", 2), np.random.default_rng(0)

    def noisy(rle):
        return rle and masks.encode(noise.random(rle["size"]) < 0.5)

    def shifted(rle):
        return rle and masks.encode(np.roll(masks.decode(rle), 7, axis=1))

    other = [replace(track, masks=tuple(map(noisy, track.masks))) for track in truth.tracks]
    tracks = [
        PredictedTrack(track.video_id, 1, 1.0, tuple(map(shifted, track.masks)))
        for track in truth.tracks[:2]
    ]
    looks, found = [], []
    for given in (truth, replace(truth, tracks=tuple(other)), weaken(truth, "none")):
        looks.append(naming.named(given, tracks, Means(), progress=False))
        found.append(naming.label(given, tracks, looks[-1], "means", Least(None, None, None)))
    for look, one in zip(looks[1:], found[1:], strict=True):
        assert np.array_equal(look.embeddings, looks[0].embeddings)
        assert one.tracks == found[0].tracks
    assert {one.supervision for one in found} == {"none"}


class Means(ByColour):
    """By colour, with names of any data set."""

    def texts(self, names):
        return np.eye(len(names), 3) + 0.1
