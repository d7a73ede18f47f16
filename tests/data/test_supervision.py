"""The firewall: nothing that a level forbids can be reached from a weakened data set."""

import gc
import pickle
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.data import Category, DataError, Track, Video, VISDataset, masks, ytvis
from evis.data.clips import ClipDataset
from evis.data.supervision import (
    LEVELS,
    P1,
    P1N1,
    P5N5,
    P10,
    PointScheme,
    in_frames,
    sample_points,
    weaken,
)


def reachable(start):
    """Every object that code holding `start` can get at: attributes, containers, closures.

    Classes and modules are left out, and with them a function's globals.
    """
    seen, waiting = {}, [start]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, type | types.ModuleType):
            continue
        seen[id(value)] = value
        if isinstance(value, types.FunctionType):
            waiting += [value.__closure__, value.__defaults__, value.__dict__]
        else:
            waiting += gc.get_referents(value)
    return list(seen.values())


def secrets(dataset):
    """What tells about masks: their strings, and areas and boxes as exact values."""
    counts = {rle["counts"] for t in dataset.tracks for rle in t.masks if rle is not None}
    areas = {area for t in dataset.tracks for area in t.areas if area is not None}
    boxes = {box for t in dataset.tracks for box in t.boxes if box is not None}
    return counts, areas, boxes


def leaks(start, counts, areas, boxes):
    found = set()
    for value in reachable(start):
        match value:
            case {"counts": _}:
                found.add("mask")
            case str() if value in counts:
                found.add("mask")
            case float() if value in areas:
                found.add("area")
            case tuple((float(), float(), float(), float())) if value in boxes:
                found.add("box")
            case Track():
                found.add("track")
    return found


@pytest.fixture
def full(read, document, frames_root):
    """Masks, boxes and areas, every cache filled, every value one that stands nowhere else."""
    for n, annotation in enumerate(document["annotations"]):
        present = [mask is not None for mask in annotation["segmentations"]]
        annotation["areas"] = [1000.5 + n if there else None for there in present]
        annotation["bboxes"] = [[0.5 + n, 0.25, 3.5, 4.5] if there else None for there in present]
    dataset = read(document, frames_root)
    for video in dataset.videos:
        dataset.tracks_of(video.id)
        dataset.mask_stack(video.id)
    assert dataset.category_names
    return dataset


ALLOWED = {
    "mask": {"mask", "area", "box", "track"},
    "box": {"box", "track"},
    "point": {"track"},
    "none": set(),
}


@pytest.mark.parametrize("level", LEVELS)
def test_only_what_the_level_allows_can_be_reached(full, level):
    weak = weaken(full, level, points=P5N5)
    assert leaks(weak, *secrets(full)) == ALLOWED[level]
    assert weak.supervision == level


@pytest.mark.parametrize("level", ["box", "point", "none"])
def test_a_pickled_data_set_holds_no_mask(full, level):
    counts, _, _ = secrets(full)
    content = pickle.dumps(weaken(full, level))
    assert not any(text.encode() in content for text in counts)
    assert b"counts" not in content
    assert pickle.loads(content) == weaken(full, level)
    assert all(text.encode() in pickle.dumps(full) for text in counts)


def test_the_search_sees_what_a_closure_or_an_attribute_hides(full):
    def reader_with_closure(video, frame):
        return full.tracks

    class Reader:
        def __init__(self, kept):
            self.kept = kept

        def __call__(self, video, frame):
            raise NotImplementedError

    for reader in (reader_with_closure, Reader([full]), Reader(full).__call__):
        hiding = replace(weaken(full, "none"), read_frame=reader)
        assert leaks(hiding, *secrets(full)) == ALLOWED["mask"]


@pytest.mark.parametrize("level", LEVELS)
def test_training_clips_hold_no_more_than_their_level(full, level):
    clips = ClipDataset(weaken(full, level), shorter_sides=(20,))
    assert leaks(clips, *secrets(full)) == ALLOWED[level]
    for clip in clips:
        given = [name for name in ("masks", "boxes", "points") if getattr(clip, name) is not None]
        assert (
            given
            == {
                "mask": ["masks", "boxes"],
                "box": ["boxes"],
                "point": ["points"],
                "none": [],
            }[level]
        )
        if level == "none":
            assert clip.track_ids == () and len(clip.labels) == 0
        kinds = {value.dtype for value in vars(clip).values() if isinstance(value, torch.Tensor)}
        assert (torch.float32 in kinds) == (level in ("mask", "box"))


def test_what_a_level_keeps_is_unchanged(full):
    box, none = weaken(full, "box"), weaken(full, "none")
    assert weaken(full, "mask") == full
    assert [t.boxes for t in box.tracks] == [t.boxes for t in full.tracks]
    for weak in (box, weaken(full, "point")):
        for attribute in ("id", "video_id", "category_id", "is_crowd"):
            kept = [getattr(track, attribute) for track in weak.tracks]
            assert kept == [getattr(track, attribute) for track in full.tracks]
    for weak in (box, weaken(full, "point"), none):
        assert weak.videos == full.videos and weak.categories == full.categories
        assert np.array_equal(weak.frame(5, 2), full.frame(5, 2))


@pytest.mark.parametrize("start", LEVELS)
@pytest.mark.parametrize("level", LEVELS)
def test_levels_only_go_down(full, start, level):
    dataset = weaken(full, start)
    if LEVELS.index(level) < LEVELS.index(start):
        with pytest.raises(DataError, match=f'holds "{start}".*"{level}" asks for more'):
            weaken(dataset, level)
    elif (start, level) == ("box", "point"):
        with pytest.raises(DataError, match="points are drawn from masks"):
            weaken(dataset, level)
    else:
        weak = weaken(dataset, level)
        assert weak.supervision == level and weaken(weak, level) == weak


def test_unknown_levels_are_named(full):
    with pytest.raises(DataError, match="unknown level 'boxes'. Choose from mask, box, point"):
        weaken(full, "boxes")


def test_a_point_file_with_boxes_and_areas_beside_is_cleaned(tmp_path, full):
    point = weaken(full, "point")
    beside = [
        replace(track, boxes=full.tracks[n].boxes, areas=full.tracks[n].areas)
        for n, track in enumerate(point.tracks)
    ]
    mixed = replace(point, tracks=tuple(beside))
    assert leaks(weaken(mixed, "point"), *secrets(full)) == ALLOWED["point"]
    read = ytvis.read(ytvis.write(mixed, tmp_path / "mixed.json"))
    assert read.supervision == "box"
    assert leaks(weaken(read, "box"), *secrets(full)) == ALLOWED["box"]
    assert all(track.points is None for track in weaken(read, "box").tracks)


def ring(height=40, width=50, box=(8, 28, 10, 34)):
    """An object with a hole: its tight box is (top, bottom, left, right)."""
    top, bottom, left, right = box
    mask = np.zeros((height, width), dtype=bool)
    mask[top:bottom, left:right] = True
    mask[top + 6 : bottom - 6, left + 6 : right - 6] = False
    return mask


def draw(mask, scheme, seed=0):
    points = sample_points(mask, scheme, np.random.default_rng(seed))
    return [p for p in points if p.positive], [p for p in points if not p.positive]


@pytest.mark.parametrize(
    ("scheme", "positives", "negatives"), [(P1, 1, 0), (P10, 10, 0), (P1N1, 1, 1), (P5N5, 5, 5)]
)
@pytest.mark.parametrize("positive_sampling", ["uniform", "distance"])
@pytest.mark.parametrize("negative_sampling", ["in box", "around box"])
def test_as_many_points_as_asked_for_on_and_off_the_object(
    scheme, positives, negatives, positive_sampling, negative_sampling
):
    scheme = replace(
        scheme, positive_sampling=positive_sampling, negative_sampling=negative_sampling
    )
    mask = ring()
    for seed in range(20):
        on, off = draw(mask, scheme, seed)
        assert len(set(on)) == positives and len(set(off)) == negatives
        assert all(mask[p.y, p.x] for p in on) and not any(mask[p.y, p.x] for p in off)
        for p in off:
            in_box = 8 <= p.y < 28 and 10 <= p.x < 34
            assert in_box == (negative_sampling == "in box")
            assert -2 <= p.y < 38 and -2 <= p.x < 46  # the box at 200%


def test_negatives_around_the_box_reach_all_of_its_200_percent_and_no_further():
    scheme = PointScheme(1, 2000, negative_sampling="around box")
    mask = ring(60, 70, (20, 32, 20, 40))
    expected = {(x, y) for y in range(14, 38) for x in range(10, 50)}
    expected -= {(x, y) for y in range(20, 32) for x in range(20, 40)}
    assert {(p.x, p.y) for p in draw(mask, scheme)[1]} == expected
    corner = ring(24, 26, (0, 20, 0, 24))
    expected = {(x, y) for y in range(24) for x in range(26)}
    expected -= {(x, y) for y in range(20) for x in range(24)}
    assert {(p.x, p.y) for p in draw(corner, scheme)[1]} == expected


def test_where_too_few_pixels_qualify_all_are_taken():
    mask = np.zeros((6, 6), dtype=bool)
    mask[2, 2:5] = True
    on, off = draw(mask, PointScheme(10, 10))
    assert {(p.x, p.y) for p in on} == {(2, 2), (3, 2), (4, 2)} and off == []
    mask[3, 2] = True
    on, off = draw(mask, PointScheme(10, 10, "distance"))
    assert len(on) == 4 and {(p.x, p.y) for p in off} == {(3, 3), (4, 3)}
    pixel = np.zeros((3, 3), dtype=bool)
    pixel[0, 0] = True
    assert draw(pixel, PointScheme(1, 5, negative_sampling="around box"))[1] == []


def test_uniform_positives_are_uniform_and_distance_prefers_the_middle():
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    distance = np.minimum.outer(*[np.minimum(np.arange(1, 8), np.arange(7, 0, -1))] * 2)
    for sampling, weights in (("uniform", np.ones((7, 7))), ("distance", distance)):
        counts = np.zeros((7, 7))
        generator = np.random.default_rng(1)
        for _ in range(4000):
            (point,) = sample_points(mask, PointScheme(positive_sampling=sampling), generator)
            counts[point.y - 1, point.x - 1] += 1
        expected = 4000 * weights / weights.sum()
        chi_squared = ((counts - expected) ** 2 / expected).sum()
        assert chi_squared < 93  # 48 degrees of freedom: exceeded once in ten thousand


def many(videos=6, tracks=2, length=20):
    """Videos of `length` frames; each object is hidden in its first frame."""
    rle = masks.encode(ring())
    return VISDataset(
        tuple(Video(v, f"v{v}", 40, 50, tuple(map(str, range(length)))) for v in range(videos)),
        tuple(
            Track(10 * v + n, v, 1, masks=(None, *[rle] * (length - 1)))
            for v in range(videos)
            for n in range(tracks)
        ),
        (Category(1, "ring"),),
    )


def test_points_depend_on_seed_video_track_and_frame_alone():
    dataset = many()
    first = weaken(dataset, "point", P5N5, seed=3)
    assert weaken(dataset, "point", P5N5, seed=3) == first
    assert weaken(dataset, "point", P5N5, seed=4) != first
    assert weaken(dataset.subset([4, 1]), "point", P5N5, seed=3).tracks_of(4) == first.tracks_of(4)
    drawn = [points for track in first.tracks for points in track.points if points is not None]
    assert len(set(drawn)) > 0.9 * len(drawn)
    assert all(track.points[0] is None for track in first.tracks)


@pytest.mark.parametrize(
    ("share", "frames"), [(0.01, 1), (0.05, 1), (0.1, 2), (0.11, 3), (0.5, 10), (1.0, 20)]
)
def test_a_share_of_a_videos_frames_carries_points(share, frames):
    dataset = many()
    dataset = replace(
        dataset, tracks=tuple(replace(t, masks=(t.masks[1],) * 20) for t in dataset.tracks)
    )
    weak = weaken(dataset, "point", replace(P1N1, frame_share=share))
    chosen = [
        tuple(t for t, points in enumerate(track.points) if points is not None)
        for track in weak.tracks
    ]
    assert all(len(frames_of) == frames for frames_of in chosen)
    assert all(a == b for a, b in zip(chosen[::2], chosen[1::2], strict=True)), "same frames"
    assert share == 1 or len(set(chosen)) > 1, "another video, other frames"


@pytest.mark.parametrize("share", [0.01, 0.4, 1.0])
def test_videos_are_cut_to_the_frames_that_carry_points(share):
    given = many()
    weak = weaken(given, "point", replace(P1N1, frame_share=share), seed=3)
    for dataset in (weak, given):
        cut = in_frames(dataset, share, seed=3)
        assert cut.tracks_of(4)[0].id == given.tracks_of(4)[0].id
        for video, whole in zip(cut.videos, given.videos, strict=True):
            kept = [whole.frames.index(name) for name in video.frames]
            assert kept == sorted(kept) and len(kept) == int(np.ceil(share * 20 - 1e-9))
            clicked = {t for x in weak.tracks_of(video.id) for t in range(20) if x.points[t]}
            assert clicked <= set(kept)
            for track, true in zip(
                cut.tracks_of(video.id), dataset.tracks_of(video.id), strict=True
            ):
                for kind in ("masks", "boxes", "areas", "points"):
                    values = getattr(true, kind)
                    wanted = values and tuple(values[frame] for frame in kept)
                    assert getattr(track, kind) == wanted
    assert in_frames(given, 1.0) == given
    with pytest.raises(ValueError, match="frame_share"):
        in_frames(given, 0.0)


@pytest.mark.parametrize(
    "bad, told",
    [
        ({"positives": 0}, "at least one positive and no negative count"),
        ({"negatives": -1}, "at least one positive and no negative count"),
        ({"frame_share": 0}, "frame_share should be in .0, 1., is 0"),
        ({"frame_share": 1.1}, "frame_share should be in .0, 1., is 1.1"),
        ({"positive_sampling": "centre"}, "unknown positive_sampling 'centre'"),
        ({"negative_sampling": "outside"}, "unknown negative_sampling 'outside'"),
    ],
)
def test_impossible_schemes_are_refused(bad, told):
    with pytest.raises(ValueError, match=told):
        PointScheme(**bad)


def made_from(full, level):
    """The set as if an algorithm had made its masks, boxes and areas from labels of this level."""
    return replace(full, supervision=level, origin="an algorithm")


@pytest.mark.parametrize("made", LEVELS)
@pytest.mark.parametrize("level", LEVELS)
def test_made_labels_pass_from_the_level_they_were_made_from_on(full, made, level):
    labelled = made_from(full, made)
    if LEVELS.index(level) <= LEVELS.index(made):
        assert weaken(labelled, level) == labelled
    else:
        with pytest.raises(DataError, match=f'made from "{made}" .*an algorithm.*"{level}" allows'):
            weaken(labelled, level)


def test_annotated_masks_go_where_made_ones_stay(full):
    assert weaken(full, "box").kinds == {"boxes"}
    labelled = weaken(made_from(full, "box"), "box")
    assert labelled.kinds == {"masks", "boxes"} and labelled.tracks == full.tracks
    (clip, *_) = ClipDataset(labelled, shorter_sides=(20,))
    assert clip.masks is not None and clip.boxes is not None


def test_clips_of_labels_made_from_nothing_are_of_labelled_videos(full):
    labelled = made_from(full, "none")
    kept = replace(labelled, tracks=labelled.tracks_of(9))
    assert {clip.video_id for clip in ClipDataset(kept, shorter_sides=(20,))} == {9}
    bare = ClipDataset(weaken(full, "none"), shorter_sides=(20,))
    assert {clip.video_id for clip in bare} == {5, 9}
