"""Track-masks: keyframes by agreement, carried both ways; nothing but boxes and masks of these."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evis.data import masks, toy
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.foundation import colour, dino
from evis.labels import from_boxes, select, tracking
from evis.labels.datasets import made
from evis.labels.videos import Tracked, carrier, extractor, make
from evis.trackers.propagate import hard, propagate

HEIGHT, WIDTH, LENGTH = 48, 72, 12
SIZE = HEIGHT, WIDTH


def block(frame):
    mask = np.zeros(SIZE, dtype=bool)
    mask[12:36, 6 + 3 * frame : 30 + 3 * frame] = True
    return mask


def picture(frame):
    shown = np.full((*SIZE, 3), 30, dtype=np.uint8)
    shown[block(frame)] = (230, 180, 40)
    return shown


def film(boxed=range(LENGTH)):
    """A bright block on a dark ground, with its true masks, and a box in some frames."""
    video = Video(1, "block", HEIGHT, WIDTH, tuple(f"{n}.png" for n in range(LENGTH)))
    rles = [masks.encode(block(n)) if n in boxed else None for n in range(LENGTH)]
    track = Track(1, 1, 1).with_masks(rles)
    read = lambda video, frame: picture(frame)  # noqa: E731
    return VISDataset((video,), (track,), (Category(1, "block"),), read)


def under(boxes, found, origin="planted"):
    """The boxes' one track under masks, None where there is none."""
    (track,) = boxes.tracks
    rles = [None if mask is None else masks.encode(mask) for mask in found]
    return made(boxes, [replace(track, areas=None).with_masks(rles)], origin)


def told(read):
    """A carrier that moves nothing and says where it went: the frame in the mask's first row."""

    def carry(order, mask):
        asked.append((list(order), mask.sum()))
        return np.stack([np.roll(mask, frame, axis=1) for frame in order[1:]])

    return carry


asked: list = []


@pytest.fixture(autouse=True)
def nothing_asked():
    asked.clear()


def test_a_block_is_followed_both_ways_from_one_keyframe():
    boxes = weaken(film(), "box")
    found = tracking.through(tracking.BY_COLOUR(lambda t: picture(t)), {5: block(5)}, LENGTH)
    assert found.shape == (LENGTH, *SIZE) and found.dtype == bool
    assert all((found[t] & block(t)).sum() / (found[t] | block(t)).sum() > 0.9 for t in range(12))
    masked = under(boxes, [block(t) if t == 5 else None for t in range(LENGTH)])
    labelled = tracking.label(boxes, masked, tracking.BY_COLOUR, "tracked", progress=False)
    (track,) = labelled.tracks
    assert [np.array_equal(track.mask(t), found[t]) for t in range(LENGTH)] == [True] * LENGTH
    assert (labelled.origin, labelled.supervision) == ("tracked from planted", "box")
    assert track.boxes == boxes.tracks[0].boxes and track.areas[0] == found[0].sum()


def test_label_propagation_is_what_carries():
    """Step by step: features, shares of the patches, propagation, the label of every pixel."""
    read = lambda t: np.random.default_rng(t).integers(0, 256, (*SIZE, 3), dtype=np.uint8)  # noqa
    found = tracking.by_likeness(colour.features, 2, 3)(read)([4, 5, 9, 2], block(4))
    features = torch.from_numpy(np.stack([colour.features(read(t)) for t in (4, 5, 9, 2)]))
    inside = F.avg_pool2d(torch.from_numpy(block(4)).float()[None], 3)[0]  # 16 x 24 cells
    soft = propagate(features, torch.stack([1 - inside, inside]), last_frames=2, radius=3)
    assert np.array_equal(found, (hard(soft, 3) == 1).numpy()) and 0 < found.mean() < 1
    odd = tracking.by_likeness(lambda frame: colour.features(frame, 7))(read)([0, 1], block(0))
    assert odd.shape == (1, *SIZE), "cells need not be whole pixels"


def test_features_of_a_long_video_do_not_fill_the_memory(monkeypatch):
    asked, kept = [], []

    def extract(frame):
        kept.append(weakref.ref(made := np.ones((4, 6, 3), np.float32)))
        return made

    def read(frame):
        asked.append(frame)
        return picture(frame)

    monkeypatch.setattr(tracking, "KEPT_BYTES", 3 * 4 * 6 * 3 * 4)
    carry = tracking.by_likeness(extract)(read)
    for way in ([0, 1, 2], [2, 1, 0]):
        carry(way, block(way[0]))
    assert asked == [0, 1, 2], "what fits is not computed again"
    for first in range(3, 40):
        carry([first, first + 1], block(first))
    assert asked == list(range(41))
    assert sum(made() is not None for made in kept) == 3
    monkeypatch.setattr(tracking, "KEPT_BYTES", 1)
    carry([50, 51], block(50))
    assert asked[-2:] == [50, 51], "the frames of a way are there together all the same"


def test_each_frame_takes_the_nearest_keyframe_of_two_as_near_the_earlier():
    starts = {2: np.eye(4, 20, dtype=bool), 6: np.eye(4, 20, 1, dtype=bool)}
    found = tracking.through(told(None), starts, 10)
    assert asked == [([2, 3, 4], 4), ([2, 1, 0], 4), ([6, 7, 8, 9], 4), ([6, 5], 4)]
    for frame in range(10):
        key = 2 if frame <= 4 else 6
        wanted = starts[key] if frame == key else np.roll(starts[key], frame, axis=1)
        assert np.array_equal(found[frame], wanted)


def test_a_video_of_keyframes_alone_asks_for_nothing():
    starts = {0: block(0), 1: block(1)}
    found = tracking.through(told(None), starts, 2)
    assert not asked and np.array_equal(found, [block(0), block(1)])
    assert np.array_equal(tracking.through(told(None), {0: block(3)}, 1), [block(3)])


@pytest.mark.parametrize("starts", [{}, {12: block(0)}, {-1: block(0)}])
def test_keyframes_out_of_the_video_are_refused(starts):
    with pytest.raises(ValueError, match="keyframes should be among 12 frames"):
        tracking.through(told(None), starts, LENGTH)


def test_keyframes_are_where_masks_fit_their_boxes_or_agree_with_others():
    boxes = weaken(film(), "box")
    half = [block(t) & (np.arange(WIDTH) < 18 + 3 * t) for t in range(LENGTH)]
    good = {3, 7}
    one = under(boxes, [block(t) if t in good else half[t] for t in range(LENGTH)])
    tracking.label(boxes, one, told, "told", every=6, progress=False)
    assert sorted({order[0] for order, _ in asked}) == [3, 7]
    asked.clear()
    two = under(boxes, [block(t) if t == 8 else None for t in range(LENGTH)], "others")
    labelled = tracking.label(boxes, one, told, "told", every=6, other=two, progress=False)
    assert {order[0] for order, _ in asked} == {8}, "both have a mask in one frame alone"
    assert labelled.origin == "told from planted by agreement with others"
    own, other = one.tracks[0], two.tracks[0]
    scores = tracking.scm_by_frame(boxes.tracks[0], own, other)
    box = select.corners(boxes.tracks[0].boxes[8])
    assert scores == [0.0] * 8 + [select.scm(half[8], block(8), box)] + [0.0] * 3
    fit = [select.box_iou(select.around(own.mask(t)), boxed) ** 2 for t, boxed in boxed_of(boxes)]
    assert tracking.scm_by_frame(boxes.tracks[0], own, own) == pytest.approx(fit)


def boxed_of(boxes):
    return [(t, select.corners(box)) for t, box in enumerate(boxes.tracks[0].boxes)]


@pytest.mark.parametrize(("every", "count"), [(1, 12), (10, 1), (5, 2), (100, 1)])
def test_the_number_of_keyframes_is_the_papers(every, count, monkeypatch):
    boxes, begun = weaken(film(), "box"), []
    masked = under(boxes, [block(t) for t in range(LENGTH)])
    through = tracking.through
    monkeypatch.setattr(tracking, "through", lambda *a: begun.append(a[1]) or through(*a))
    tracking.label(boxes, masked, told, "told", every=every, progress=False)
    assert [len(starts) for starts in begun] == [count]


def test_an_object_has_no_mask_where_it_has_no_box():
    boxes = weaken(film(boxed=(0, 1, 2, 8, 9)), "box")
    masked = from_boxes.label(boxes, from_boxes.ellipse, progress=False)
    (track,) = tracking.label(boxes, masked, told, "told", progress=False).tracks
    assert [t for t, rle in enumerate(track.masks) if rle] == [0, 1, 2, 8, 9]


def test_a_mask_that_was_not_found_at_a_box_can_come_of_tracking():
    boxes = weaken(film(), "box")
    masked = under(boxes, [block(t) if t < 6 else None for t in range(LENGTH)])
    (track,) = tracking.label(boxes, masked, told, "told", progress=False).tracks
    assert None not in track.masks and track.boxes == boxes.tracks[0].boxes


def test_objects_without_a_keyframe_and_crowds_are_left_out():
    boxes = weaken(film(), "box")
    (track,) = boxes.tracks
    boxes = replace(
        boxes, tracks=(track, replace(track, id=2), replace(track, id=3, is_crowd=True))
    )
    masked = from_boxes.label(boxes, from_boxes.ellipse, progress=False)
    one = replace(masked, tracks=masked.tracks[:1])
    labelled = tracking.label(boxes, one, told, "told", progress=False)
    assert [track.id for track in labelled.tracks] == [1]
    empty = [replace(t, masks=(None,) * LENGTH) for t in masked.tracks]
    nothing = tracking.label(boxes, replace(masked, tracks=tuple(empty)), told, "told")
    assert nothing.tracks == () and nothing.supervision == "box" and nothing.origin
    bare = replace(boxes, tracks=())
    assert tracking.label(bare, replace(masked, tracks=()), told, "told").tracks == ()


def test_bad_input_is_refused():
    truth = film()
    boxes = weaken(truth, "box")
    masked = from_boxes.label(boxes, from_boxes.ellipse, progress=False)
    with pytest.raises(ValueError, match="every should be at least 1"):
        tracking.label(boxes, masked, told, "told", every=0)
    with pytest.raises(DataError, match="pseudo masks and their boxes are asked for"):
        tracking.label(boxes, truth, told, "told")
    with pytest.raises(DataError, match="masks are made from boxes"):
        tracking.label(weaken(truth, "none"), masked, told, "told")
    (track,) = masked.tracks
    short = replace(track, masks=track.masks[:3], boxes=track.boxes[:3], areas=track.areas[:3])
    with pytest.raises(DataError, match="different numbers of frames"):
        tracking.label(boxes, replace(masked, tracks=(short,)), told, "told", progress=False)


def test_no_mask_of_a_video_is_seen():
    truth = film()
    (track,) = truth.tracks
    noise = np.random.default_rng(0)
    spoilt = [masks.encode(noise.random(SIZE) < 0.5) for _ in range(LENGTH)]
    noisy = replace(truth, tracks=(replace(track, masks=tuple(spoilt)),))
    clean = make(truth, Tracked("ellipse"), progress=False)
    assert clean == replace(
        make(noisy, Tracked("ellipse"), progress=False), read_frame=clean.read_frame
    )
    assert clean.supervision == "box" and len(clean.tracks) == 1


def test_the_labeller_makes_tidy_keyframes_and_tidies_more_where_asked():
    boxes = weaken(film(), "box")
    keys = select.tidied(from_boxes.label(boxes, from_boxes.fill, progress=False))
    wanted = tracking.label(boxes, keys, tracking.BY_COLOUR, "x", every=5, progress=False)
    made_ = make(boxes, Tracked("fill", every=5), progress=False)
    assert made_.tracks == wanted.tracks
    assert made_.origin == "tracked by colour, K = 5, from fill from boxes, DOOB"
    tidy = make(boxes, Tracked("fill", every=5, tidy=True), progress=False)
    assert tidy.tracks == select.tidied(wanted).tracks and tidy.origin.endswith("DOOB, DOOB")
    assert Tracked("sam", "dino").weights == ("sam", "dino") and Tracked().weights == ()


def test_the_labellers_keyframes_are_where_two_kinds_agree():
    boxes = weaken(film(), "box")
    kinds = [
        select.tidied(from_boxes.label(boxes, by, progress=False))
        for by in (from_boxes.ellipse, from_boxes.fill)
    ]
    how = tracking.BY_COLOUR, "x", 5
    wanted = tracking.label(boxes, kinds[0], *how, kinds[1], progress=False)
    labeller = Tracked("ellipse", every=5, other="fill")
    assert make(boxes, labeller, progress=False).tracks == wanted.tracks
    words = "tracked by colour, K = 5, from ellipse from boxes, DOOB by agreement with fill from"
    assert labeller.origin == f"{words} boxes, DOOB"
    assert Tracked("sam", "dino", other="sam_hq").weights == ("sam", "sam_hq", "dino")


def test_toy_dino_carries_as_it_cuts():
    boxes = weaken(toy.sample("toy-ytvis19", 1), "box")
    labelled = make(boxes, Tracked("ellipse", "toy_dino", every=10), progress=False)
    assert labelled.origin.startswith("tracked by toy_dino") and labelled.tracks


@pytest.mark.slow  # transformers is imported
def test_weights_that_carry_are_told_by_their_kind(tmp_path):
    with pytest.raises(DataError, match="no such file or folder, nor a DINO or SAM 2"):
        carrier("nowhere/sam2")
    (tmp_path / "dino.pth").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no weights of a ViT under DINO's names"):
        carrier(str(tmp_path / "dino.pth"))
    (tmp_path / "config.json").write_text('{"model_type": "sam2_video"}')
    with pytest.raises(DataError, match="Sam2VideoModel"):
        carrier(str(tmp_path))
    carrier.cache_clear()


@pytest.mark.slow  # transformers is imported
def test_features_of_a_dino_carry_too(tmp_path):
    from transformers import ViTConfig, ViTModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = ViTConfig(**sizes, intermediate_size=32, image_size=32, patch_size=8)
    torch.manual_seed(0)
    ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    boxes = weaken(film(), "box")
    keys = select.tidied(from_boxes.label(boxes, from_boxes.ellipse, progress=False))
    found = make(boxes, Tracked("ellipse", str(tmp_path)), tmp_path / "parts", progress=False)
    by_dino = tracking.by_likeness(dino.load(tmp_path))
    wanted = tracking.label(boxes, keys, by_dino, "x", progress=False)
    assert found.tracks == wanted.tracks and tmp_path.name in found.origin
    by_colour = make(boxes, Tracked("ellipse"), tmp_path / "parts", progress=False)
    assert by_colour.tracks != found.tracks, "what was kept is of other weights"
    carrier.cache_clear()
    extractor.cache_clear()
