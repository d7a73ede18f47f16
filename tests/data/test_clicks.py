"""The small json of clicks: there and back, and every fault by its place."""

import json
from dataclasses import replace

import pytest

from evis.data import Category, DataError, Point, Video, VISDataset, clicks, toy
from evis.data.supervision import P5N5, weaken

VIDEOS = (Video(3, "walk", 6, 8, ("a", "b", "c")), Video(9, "run", 4, 4, ("a",)))
BARE = VISDataset(VIDEOS, (), (), supervision="none")


def content():
    return {
        "videos": [
            {
                "name": "walk",
                "height": 6,
                "width": 8,
                "objects": [
                    {"category": "dog", "clicks": [[2, 7, 5, 1], [0, 1, 2, 1], [0, 3, 4, 0]]},
                    {"category": "cat", "clicks": []},
                ],
            }
        ]
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clicks.json"


def read(path, of=None, dataset=BARE):
    path.write_text(json.dumps(content() if of is None else of))
    return clicks.read(path, dataset)


def test_clicks_become_a_point_supervised_data_set(path):
    dataset = read(path)
    assert (dataset.supervision, dataset.origin, dataset.kinds) == ("point", None, {"points"})
    assert dataset.videos == VIDEOS
    assert [category.name for category in dataset.categories] == ["cat", "dog"]
    dog, cat = dataset.tracks
    assert (dog.id, dog.video_id, dataset.category_names[dog.category_id]) == (1, 3, "dog")
    assert dog.points == ((Point(1, 2, True), Point(3, 4, False)), None, (Point(7, 5, True),))
    assert cat.points == (None, None, None)
    assert dataset.tracks_of(9) == ()
    assert weaken(dataset, "point") == dataset


def test_categories_of_the_data_set_stay_in_its_order(path):
    known = replace(BARE, categories=(Category(5, "dog"), Category(2, "cat"), Category(1, "cow")))
    dataset = read(path, dataset=known)
    assert dataset.categories == known.categories
    assert [track.category_id for track in dataset.tracks] == [5, 2]
    with pytest.raises(DataError, match="'dog' is no category of the data set. It has cat"):
        read(path, dataset=replace(BARE, categories=(Category(2, "cat"),)))


def test_there_and_back(path):
    weak = weaken(toy.sample("toy-ovis", 2), "point", P5N5)
    again = clicks.read(clicks.write(weak, path), weak.bare())
    assert [(t.video_id, t.category_id, t.points) for t in again.tracks] == [
        (t.video_id, t.category_id, t.points)
        for video in weak.videos
        for t in weak.tracks_of(video.id)
    ]
    assert (again.videos, again.categories) == (weak.videos, weak.categories)
    assert len(weak.tracks) > 2
    twin = clicks.write(again, path.with_name("twin.json"))
    assert twin.read_bytes() == path.read_bytes()


def test_an_empty_file_is_a_set_without_tracks(path):
    dataset = read(path, {"videos": []})
    assert (dataset.tracks, dataset.categories, dataset.supervision) == ((), (), "point")
    assert read(path, {"videos": [dict(content()["videos"][0], objects=[])]}).tracks == ()


def test_no_click_is_copied_for_each_that_comes_after_it(path, monkeypatch):
    """So that time grows with their number and not with its square."""
    copied, points = [], clicks.fields.points

    class Added(tuple):
        def __radd__(self, before):
            if isinstance(before, list):  # which grows in its place
                return NotImplemented
            copied.append(len(before))
            return (*before, *self)

    monkeypatch.setattr(clicks.fields, "points", lambda *given: Added(points(*given)))
    many = content()
    many["videos"][0]["objects"][0]["clicks"] = [[0, 1, 2, 1]] * 40
    path.write_text(json.dumps(many))
    assert clicks.read(path, BARE).tracks[0].points[0] == (Point(1, 2, True),) * 40
    assert not copied


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda v: v.pop("name"), r"field videos\[0\].name: is missing"),
        (lambda v: v.update(name="swim"), "is no video of the data set. Its videos are walk, run"),
        (lambda v: v.pop("objects"), r"video walk, field videos\[0\].objects: is missing"),
        (lambda v: v.update(height=12), "are on frames of 12 x 8 .* the video's are 6 x 8"),
        (lambda v: v.update(width="8"), "width: should be a whole number"),
        (lambda v: v["objects"][0].pop("category"), r"objects\[0\].category: is missing"),
        (
            lambda v: v["objects"][0]["clicks"].append([3, 0, 0, 1]),
            r"video walk, field videos\[0\].objects\[0\].clicks\[3\]: there is no frame 3",
        ),
        (
            lambda v: v["objects"][0]["clicks"].append([1, 8, 0, 1]),
            r"walk, frame 1, field .*clicks\[3\]: the point \[8, 0, 1\] lies outside the frame",
        ),
        (lambda v: v["objects"][0]["clicks"].append([1, 0, 0, 2]), "should end in 1 or 0"),
        (lambda v: v["objects"][0]["clicks"].append([1, 0, 0]), "a click should be .frame, x, y"),
        (lambda v: v["objects"][0]["clicks"].append([1.5, 0, 0, 1]), "a click should be .frame"),
        (lambda v: v["objects"][0]["clicks"].append("here"), "a click should be .frame, x, y"),
        (lambda v: v["objects"][0]["clicks"].append([1, None, 0, 1]), "a point should be"),
        (lambda v: v["objects"].append([]), r"objects\[2\]: should be an object"),
    ],
)
def test_faults_are_named_by_their_place(path, spoil, said):
    wrong = content()
    spoil(wrong["videos"][0])
    with pytest.raises(DataError, match=said) as error:
        read(path, wrong)
    assert error.value.file == path


def test_a_video_stands_once_and_broken_files_are_named(path):
    twice = {"videos": content()["videos"] * 2}
    with pytest.raises(DataError, match=r"field videos\[1\].name: stands there twice"):
        read(path, twice)
    path.write_text("[]")
    with pytest.raises(DataError, match="should be an object"):
        clicks.read(path, BARE)
    path.write_text("{")
    with pytest.raises(DataError, match="broken json"):
        clicks.read(path, BARE)


def test_only_clicks_are_written(path):
    with pytest.raises(DataError, match='"none".*Weaken'):
        clicks.write(BARE, path)
