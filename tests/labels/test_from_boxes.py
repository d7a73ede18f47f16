from dataclasses import replace

import numpy as np
import pytest

from evis.data import DataError, masks, predictions, toy
from evis.data.clips import ClipDataset
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import as_dataset
from evis.labels import from_boxes as pseudo_masks
from evis.metrics.ytvis import evaluate


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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(0.0, 6.0), (6.0, 0.0), (0.0, 0.0), (0.8, 0.8)])
def test_a_box_thinner_than_a_pixel_is_filled(size):
    picture, _ = coin_on_cloth()
    box = (19.6, 9.6, *size)
    mask = pseudo_masks.ellipse(picture, box)
    assert mask.any() and (mask == pseudo_masks.fill(picture, box)).all()


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
    boxes = one_video(picture, (BOX, None))
    made = pseudo_masks.label(boxes, pseudo_masks.grabcut, progress=False)
    assert (made.supervision, made.origin) == ("box", "grabcut from boxes")
    assert (made.videos, made.categories) == (boxes.videos, boxes.categories)
    (track,) = made.tracks
    assert (track.id, track.video_id, track.category_id) == (1, 7, 3)
    assert track.boxes == (BOX, None) and iou(track.mask(0), disc) > 0.97
    assert track.masks[1] is None and track.areas == (track.mask(0).sum(), None)


def test_what_no_mask_was_found_in_is_not_visible():
    picture, _ = coin_on_cloth()
    nothing = pseudo_masks.label(
        one_video(picture, (BOX,)), lambda picture, box: np.zeros((40, 60), bool), "nothing", False
    )
    assert (nothing.tracks[0].masks, nothing.tracks[0].boxes) == ((None,), (None,))
    assert nothing.origin == "nothing"


def test_each_frame_is_read_once_and_its_boxes_come_one_after_another():
    """The result is that of track after track, in the data set's order, crowds left out."""
    lengths, read, asked = {7: 3, 5: 2}, [], []
    videos = tuple(
        Video(n, f"v{n}", 40, 60, tuple(f"{n}/{t}.png" for t in range(length)))
        for n, length in lengths.items()
    )
    other = (5.0, 5.0, 9.0, 12.0)
    tracks = (
        Track(1, 7, 3, boxes=(None, BOX, BOX)),
        Track(2, 5, 3, boxes=(other, None)),
        Track(3, 7, 3, boxes=(other, other, None)),
        Track(4, 7, 3, boxes=(BOX, BOX, BOX), is_crowd=True),
        Track(5, 5, 3, boxes=(BOX, None)),
    )

    def picture_of(video, frame):
        read.append((video.id, frame))
        return coin_on_cloth(10 * video.id + frame)[0]

    boxes = VISDataset(videos, tracks, (Category(3, "coin"),), picture_of, "box")
    last = []

    def segment(picture, box):  # as SAM's, which keeps what its encoder made of the last picture
        if not last or not np.array_equal(last[0], picture):
            asked.append(1)
            last[:] = [picture]
        return pseudo_masks.grabcut(picture, box)

    made = pseudo_masks.label(boxes, segment, "x", progress=False)
    assert sorted(read) == [(5, 0), (7, 0), (7, 1), (7, 2)], "a frame without a box is not read"
    assert len(asked) == 4, "seen once for all boxes"
    assert [track.id for track in made.tracks] == [1, 2, 3, 5]
    for track, whole in zip(made.tracks, (tracks[0], tracks[1], tracks[2], tracks[4]), strict=True):
        wanted = [
            box
            and masks.encode(
                pseudo_masks.grabcut(coin_on_cloth(10 * track.video_id + frame)[0], box)
            )
            for frame, box in enumerate(whole.boxes)
        ]
        assert track == replace(whole, areas=None).with_masks(wanted)


def test_label_needs_boxes():
    picture, _ = coin_on_cloth()
    with pytest.raises(DataError, match="Give an annotation json that has boxes"):
        pseudo_masks.label(weaken(one_video(picture, (BOX,)), "none"), pseudo_masks.fill)


def test_made_masks_are_evaluated_and_trained_on():
    videos = toy.sample("toy-ytvis19", 2)
    made = pseudo_masks.label(weaken(videos, "box"), pseudo_masks.ellipse, progress=False)
    result = evaluate(videos, made, progress=False)
    assert 0 < result.stats["AP50"] <= 1
    perfect = as_dataset(videos, predictions.from_dataset(videos), "copied")
    assert evaluate(videos, perfect, progress=False).stats["AP"] == pytest.approx(1)
    for step, clip in zip(range(2), ClipDataset(made, shorter_sides=(64,)), strict=False):
        assert clip.masks is not None and clip.masks.flatten(2).any(-1).equal(clip.visible), step


def with_noise_for_masks(dataset):
    """Every annotated mask is noise; its box, which people drew, stays."""
    generator = np.random.default_rng(0)
    tracks = []
    for track in dataset.tracks:
        video = dataset.video(track.video_id)
        noise = generator.random((video.length, video.height, video.width)) < 0.5
        encoded = tuple(
            rle and masks.encode(mask) for rle, mask in zip(track.masks, noise, strict=True)
        )
        tracks.append(replace(track, masks=encoded, areas=None))
    return replace(dataset, tracks=tuple(tracks))


@pytest.mark.parametrize("rule", [pseudo_masks.grabcut, pseudo_masks.ellipse])
def test_true_masks_change_no_bit_of_labels_and_clips(rule):
    """The firewall, all the way: annotations, weaken, labels, clips."""
    truth = toy.sample("toy-ytvis19", 2)
    noise = with_noise_for_masks(truth)
    assert noise.tracks != truth.tracks
    made = [
        pseudo_masks.label(weaken(dataset, "box"), rule, progress=False)
        for dataset in (truth, noise)
    ]
    assert made[0] == made[1]
    assert made[0] == pseudo_masks.label(noise, rule, progress=False), "not weakened before"
    clips = [ClipDataset(weaken(dataset, "box"), shorter_sides=(64,)) for dataset in made]
    for first, second in zip(*clips, strict=True):
        assert first.track_ids == second.track_ids and first.frame_indices == second.frame_indices
        for name in ("frames", "labels", "visible", "boxes", "masks"):
            assert getattr(first, name).equal(getattr(second, name)), name
