"""Boxes instead of masks: IoU against a count of pixels, and AP where annotations hold boxes."""

from dataclasses import replace

import numpy as np
import pytest

from evis.data import DataError, masks
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.metrics import box_iou
from evis.metrics.ytvis import evaluate

VIDEO = Video(1, "a", 20, 30, ("0.jpg", "1.jpg", "2.jpg"))


def drawn(boxes):
    """(frames, 20, 30) bool: each box filled; whole numbers."""
    frames = np.zeros((len(boxes), 20, 30), dtype=bool)
    for frame, box in zip(frames, boxes, strict=True):
        if box is not None:
            x, y, width, height = map(int, box)
            frame[y : y + height, x : x + width] = True
    return frames


def test_ious_of_whole_boxes_are_counts_of_pixels():
    generator = np.random.default_rng(0)
    tracks = []
    for _ in range(12):
        boxes = []
        for _ in range(3):
            x, y = generator.integers(0, 25), generator.integers(0, 15)
            width, height = generator.integers(1, 31 - x), generator.integers(1, 21 - y)
            visible = generator.random() < 0.8
            boxes.append((float(x), float(y), float(width), float(height)) if visible else None)
        tracks.append(tuple(boxes))
    ours, theirs = tracks[:7], tracks[7:]
    ious = box_iou.compare(ours, theirs, VIDEO).ious
    for row, a in zip(ious, ours, strict=True):
        for iou, b in zip(row, theirs, strict=True):
            a_pixels, b_pixels = drawn(a), drawn(b)
            assert iou == pytest.approx((a_pixels & b_pixels).sum() / (a_pixels | b_pixels).sum())


def test_boxes_count_within_the_frame_and_in_fractions():
    overlap = box_iou.compare([((-2.0, 0.0, 6.5, 4.0), None, None)], [], VIDEO)
    assert overlap.areas.tolist() == [[4.5 * 4, 0, 0]]


def ring_and_box():
    """An object whose mask is a ring; its box, and a filled box as the prediction."""
    ring = drawn([(4, 4, 12, 10)] * 3)
    ring[:, 7:11, 7:13] = False
    encoded = tuple(map(masks.encode, ring))
    boxes = ((4.0, 4.0, 12.0, 10.0),) * 3
    truth = Track(1, 1, 2, boxes=boxes, masks=encoded, areas=(96.0,) * 3)
    dataset = VISDataset((VIDEO,), (truth,), (Category(2, "ring"), Category(3, "disc")))
    filled = tuple(map(masks.encode, drawn([(4, 4, 12, 10)] * 3)))
    return dataset, filled


def test_a_box_that_fits_is_right_whatever_its_mask():
    dataset, filled = ring_and_box()
    boxes = weaken(dataset, "box")
    found = [PredictedTrack(1, 2, 0.9, filled)]
    assert evaluate(boxes, found, by="boxes", progress=False).stats["AP"] == pytest.approx(1)
    assert evaluate(dataset, found, by="boxes", progress=False).stats["AP"] == pytest.approx(1)
    assert evaluate(dataset, found, progress=False).stats["AP"] < 0.9
    as_lists = [
        {"counts": masks.run_lengths(rle["counts"]).tolist(), "size": rle["size"]} for rle in filled
    ]
    rows = [{"video_id": 1, "category_id": 2, "score": 0.9, "segmentations": as_lists}]
    assert evaluate(boxes, rows, by="boxes", progress=False).stats["AP"] == pytest.approx(1)


def test_classes_count_with_boxes_too():
    dataset, filled = ring_and_box()
    wrong = [PredictedTrack(1, 3, 0.9, filled)]
    assert evaluate(dataset, wrong, by="boxes", progress=False).stats["AP"] == 0
    assert evaluate(dataset, wrong, True, by="boxes", progress=False).stats["AP"] == pytest.approx(
        1
    )


def test_without_masks_the_way_to_boxes_is_named_and_made_labels_are_no_truth():
    dataset, _ = ring_and_box()
    boxes = weaken(dataset, "box")
    with pytest.raises(DataError, match='holds no masks .*evaluated with by="boxes"'):
        evaluate(boxes, [], progress=False)
    with pytest.raises(DataError, match=r"made \(grabcut from boxes\) are no ground truth"):
        evaluate(replace(dataset, supervision="box", origin="grabcut from boxes"), [])
    with pytest.raises(DataError, match="holds no boxes"):
        evaluate(weaken(dataset, "point"), [], by="boxes")
