import numpy as np
import pytest

from evis.data import DataError
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import from_boxes as pseudo_masks


def coin_on_cloth(seed=0):
    """A red disc on green: (40, 60, 3) picture and the disc's mask."""
    generator = np.random.default_rng(seed)
    rows, columns = np.ogrid[:40, :60]
    disc = (rows - 20) ** 2 + (columns - 30) ** 2 <= 100
    picture = np.where(disc[..., None], [200, 40, 40], [30, 140, 60])
    return (picture + generator.integers(-15, 16, picture.shape)).astype(np.uint8), disc


BOX = (20.0, 10.0, 21.0, 21.0)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_fill_covers_the_box_and_nothing_else():
    picture, _ = coin_on_cloth()
    mask = pseudo_masks.fill(picture, BOX)
    assert mask.sum() == 21 * 21 and mask[10:31, 20:41].all()


def test_fill_touches_whole_pixels_and_stays_in_the_picture():
    picture, _ = coin_on_cloth()
    assert pseudo_masks.fill(picture, (58.5, -2.0, 9.0, 3.2)).nonzero()[0].tolist() == [0, 0, 1, 1]


def test_ellipse_of_a_disc_is_the_disc():
    picture, disc = coin_on_cloth()
    assert iou(pseudo_masks.ellipse(picture, BOX), disc) > 0.9


def test_grabcut_finds_what_colour_tells_apart():
    picture, disc = coin_on_cloth()
    assert iou(pseudo_masks.grabcut(picture, BOX), disc) > 0.97
    assert iou(pseudo_masks.fill(picture, BOX), disc) < 0.8


def test_grabcut_never_leaves_the_box_and_repeats_itself():
    picture, _ = coin_on_cloth(1)
    first = pseudo_masks.grabcut(picture, BOX)
    assert not (first & ~pseudo_masks.fill(picture, BOX)).any()
    assert (first == pseudo_masks.grabcut(picture, BOX)).all()


def test_grabcut_without_an_outside_fills():
    picture, _ = coin_on_cloth()
    assert pseudo_masks.grabcut(picture, (0, 0, 60, 40)).all()


def one_video(picture, boxes):
    video = Video(7, "coin", 40, 60, tuple(f"{t}.png" for t in range(len(boxes))))
    track = Track(1, 7, 3, boxes=boxes)
    return VISDataset((video,), (track,), (Category(3, "coin"),), lambda v, t: picture, "box")


def test_label_keeps_identity_and_absence():
    picture, disc = coin_on_cloth()
    (made,) = pseudo_masks.label(
        one_video(picture, (BOX, None)), pseudo_masks.grabcut, progress=False
    )
    assert (made.video_id, made.category_id, made.score) == (7, 3, 1.0)
    assert made.masks[0] is not None and made.masks[1] is None


def test_label_needs_boxes():
    picture, _ = coin_on_cloth()
    with pytest.raises(DataError, match="Weaken"):
        pseudo_masks.label(weaken(one_video(picture, (BOX,)), "none"), pseudo_masks.fill)
