"""Self-training's labels: the sure predictions, and the old masks that they lack."""

from dataclasses import replace

import numpy as np
import pytest

from evis.data import DataError, annotations, masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import self_training
from evis.labels.self_training import ROUNDS, next_labels

PICTURES = tuple(Video(n, f"p{n}", 10, 20, (f"{n}.jpg",)) for n in (3, 5))
OBJECT = Category(1, "object")


def columns(first, last):
    mask = np.zeros((10, 20), bool)
    mask[:, first:last] = True
    return masks.encode(mask)


def old_labels(*tracks, videos=PICTURES):
    """(video, masks of its frames) each."""
    made = [Track(n, v, 1).with_masks(rles) for n, (v, rles) in enumerate(tracks, 1)]
    return VISDataset(videos, tuple(made), (OBJECT,), None, "none", "MaskCut of colour")


def found(video, score, first, last):
    return PredictedTrack(video, 1, score, (columns(first, last),))


def spans(labels):
    """(video, first column, width) of every label."""
    return sorted((t.video_id, int(t.boxes[0][0]), int(t.boxes[0][2])) for t in labels.tracks)


OLD = old_labels((3, (columns(0, 10),)), (3, (columns(12, 20),)), (5, (columns(0, 4),)))


def test_what_was_predicted_takes_the_place_of_what_it_overlaps():
    new = next_labels(OLD, [found(3, 0.9, 2, 10), found(3, 0.69, 12, 20)], 0.7)
    # IoU 8 / 10 with the first old mask; of the second the model is not sure, so the old one stays
    assert spans(new) == [(3, 2, 8), (3, 12, 8), (5, 0, 4)]
    assert new.origin == (
        "predictions with scores from 0.7 and what they lack, from MaskCut of colour"
    )
    assert (new.supervision, new.categories, new.videos) == ("none", (OBJECT,), PICTURES)
    assert [track.id for track in new.tracks] == [1, 2, 3]


@pytest.mark.parametrize(("last", "stays"), [(5, False), (4, True)])
def test_an_old_mask_goes_from_an_iou_of_one_half(last, stays):
    new = next_labels(OLD, [found(3, 0.7, 0, last)], 0.7)
    assert ((3, 0, 10) in spans(new)) == stays and (3, 0, last) in spans(new)


def test_of_many_the_best_are_kept_picture_by_picture():
    many = [found(3, s, n, n + 1) for n, s in enumerate(np.linspace(0.7, 0.9, 20))]
    many += [found(5, 0.71, 10, 12)]
    new = next_labels(old_labels((3, (columns(0, 20),))), many, 0.7, most=3)
    assert spans(new) == [(3, 0, 20), (3, 17, 1), (3, 18, 1), (3, 19, 1), (5, 10, 2)]
    assert self_training.MOST == 30 and ROUNDS == (0.7, 0.65)


def test_what_is_left_out_for_its_rank_takes_no_old_mask_with_it():
    new = next_labels(OLD, [found(3, 0.9, 18, 20), found(3, 0.8, 0, 10)], 0.7, most=1)
    assert spans(new) == [(3, 0, 10), (3, 12, 8), (3, 18, 2), (5, 0, 4)]


def test_against_brute_force():
    generator = np.random.default_rng(0)
    for _ in range(20):
        old, new, bits = [], [], {}
        for number in range(12):
            mask = generator.random((2, 10, 20)) < generator.uniform(0, 1)
            rles = tuple(masks.encode(m) if m.any() else None for m in mask)
            if number < 6:
                old.append((7, rles))
            else:
                new.append(PredictedTrack(7, 1, float(generator.random()), rles))
            bits[number] = mask
        kept = [n for n in range(6, 12) if new[n - 6].score >= 0.5]
        stays = [
            n
            for n in range(6)
            if all((bits[n] & bits[k]).sum() < 0.3 * (bits[n] | bits[k]).sum() for k in kept)
        ]
        videos = (Video(7, "v", 10, 20, ("0.jpg", "1.jpg")),)
        labels = next_labels(old_labels(*old, videos=videos), new, 0.5, same=0.3)
        wanted = [bits[n] for n in sorted(kept, key=lambda n: -new[n - 6].score) + stays]
        masked = [m for m in wanted if m.any()]
        assert len(labels.tracks) == len(masked)
        for track, mask in zip(labels.tracks, masked, strict=True):
            for frame in range(2):
                own = track.mask(frame)
                assert np.array_equal(mask[frame], own if own is not None else 0 * mask[frame])


def test_two_rounds_follow_each_other_and_are_read_back(tmp_path):
    once = next_labels(OLD, [found(5, 0.8, 0, 5)], ROUNDS[0])
    twice = next_labels(once, [found(5, 0.66, 8, 12)], ROUNDS[1])
    assert spans(twice) == [(3, 0, 10), (3, 12, 8), (5, 0, 5), (5, 8, 4)]
    assert twice.origin.count("predictions with scores from") == 2
    assert annotations.read(annotations.write(twice, tmp_path / "a.json", "coco")).tracks == (
        twice.tracks
    )


def test_nothing_predicted_or_nothing_known_are_valid():
    assert next_labels(OLD, [], 0.7).tracks == OLD.tracks
    assert spans(next_labels(old_labels(), [found(3, 1.0, 0, 3)], 0.7)) == [(3, 0, 3)]
    assert next_labels(old_labels(), [], 0.7).tracks == ()


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="goes on from pseudo masks"):
        next_labels(replace(OLD, origin=None, supervision="mask"), [], 0.7)
    with pytest.raises(DataError, match="video_id 4: no such video"):
        next_labels(OLD, [found(4, 0.9, 0, 3)], 0.7)
    small = PredictedTrack(3, 1, 0.9, (masks.encode(np.ones((5, 5), bool)),))
    with pytest.raises(
        DataError, match=r"video p3: a mask is of size \[5, 5\].*at the video's size"
    ):
        next_labels(OLD, [small], 0.7)
    with pytest.raises(DataError, match="video p3: a track has 2 entries for 1 frames"):
        next_labels(OLD, [replace(small, masks=(None, None))], 0.7)
    with pytest.raises(DataError, match="category 2"):
        next_labels(OLD, [replace(found(3, 0.9, 0, 3), category_id=2)], 0.7)
    for least in (float("nan"), 70):
        with pytest.raises(ValueError, match="a score is in"):
            next_labels(OLD, [], least)
