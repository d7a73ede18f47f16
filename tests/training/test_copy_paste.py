"""Copy-paste: what is pasted, where, what it hides, and that it changes nothing unasked."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from evis.companion import measured, store
from evis.data.clips import Clip, ClipDataset
from evis.data.copy_paste import CopyPaste, pasted
from evis.data.errors import DataError
from evis.data.pseudo_clips import PseudoClips
from evis.data.supervision import weaken
from evis.papers.eigencluster import experiments
from evis.training import changed
from evis.training.batches import clips_of
from evis.training.recipe import _YOUNG, Recipe

HEIGHT, WIDTH = 40, 60


def drawn(*boxes, frames=1, first_id=1, shade=100):
    """A clip on grey with one object a box (x0, y0, x1, y1), each in a colour of its own."""
    masks = torch.zeros(len(boxes), frames, HEIGHT, WIDTH, dtype=torch.bool)
    pictures = torch.full((frames, 3, HEIGHT, WIDTH), shade, dtype=torch.uint8)
    for n, (x0, y0, x1, y1) in enumerate(boxes):
        masks[n, :, y0:y1, x0:x1] = True
        pictures[..., y0:y1, x0:x1] = 200 + first_id + n
    return Clip(
        frames=pictures,
        video_id=first_id,
        frame_indices=(0,) * frames,
        track_ids=tuple(range(first_id, first_id + len(boxes))),
        labels=torch.arange(len(boxes)) + first_id,
        visible=torch.ones(len(boxes), frames, dtype=torch.bool),
        boxes=torch.tensor(boxes).float().reshape(-1, 1, 4).repeat(1, frames, 1),
        masks=masks,
    )


def paste(clip, source, scales=(1.0, 1.0), seed=0):
    return pasted(clip, source, scales, np.random.default_rng(seed))


def test_at_full_size_it_is_the_other_picture_where_its_object_is():
    clip = drawn((0, 0, 20, 10), (30, 20, 50, 40))
    source = drawn((10, 5, 35, 25), first_id=11, shade=7)
    found = paste(clip, source)
    there = source.masks[0]
    assert torch.equal(found.frames, torch.where(there[:, None], source.frames, clip.frames))
    assert torch.equal(found.masks, torch.cat([clip.masks & ~there, source.masks]))
    assert found.track_ids == (1, 2, 11) and found.labels.tolist() == [1, 2, 11]
    assert found.visible.all() and found.visible.shape == (3, 1)
    assert found.boxes[:, 0].tolist() == [[0, 0, 20, 10], [30, 20, 50, 40], [10, 5, 35, 25]]
    assert torch.equal(clip.masks, drawn((0, 0, 20, 10), (30, 20, 50, 40)).masks), "changed its own"


@pytest.mark.parametrize(("right", "is_left_out"), [(9, False), (10, True), (40, True)])
def test_what_would_hide_half_of_an_object_is_left_out(right, is_left_out):
    """Of an object 20 wide, `right` columns are hidden."""
    clip = drawn((0, 0, 20, 10), (30, 20, 50, 40))
    found = paste(clip, drawn((0, 0, right, 30), first_id=11))
    if is_left_out:
        assert found is clip
    else:
        assert found.masks.flatten(1).sum(1).tolist() == [11 * 10, 20 * 20, 9 * 30]
        assert found.boxes[0, 0].tolist() == [9, 0, 20, 10]


def test_each_pasted_object_is_judged_for_itself():
    clip = drawn((0, 0, 20, 10))
    source = drawn((0, 0, 12, 10), (40, 20, 50, 30), (45, 32, 55, 38), first_id=11)
    seen = {paste(clip, source, seed=seed).track_ids for seed in range(40)}
    assert seen == {(1,), (1, 12), (1, 13), (1, 12, 13), (1, 13, 12)}


def test_one_to_all_but_one_are_pasted():
    empty = drawn()
    numbers = {
        n: {
            len(
                paste(empty, drawn(*[(9 * k, 0, 9 * k + 5, 9) for k in range(n)]), seed=s).track_ids
            )
            for s in range(25)
        }
        for n in range(5)
    }
    assert numbers == {0: {0}, 1: {1}, 2: {1}, 3: {1, 2}, 4: {1, 2, 3}}


def test_an_object_hidden_in_one_frame_alone_is_not_visible_there():
    clip = drawn((0, 0, 40, 10), frames=2)
    clip.masks[0, 1] = False
    clip.masks[0, 1, :5, :5] = True  # all of it lies under what is pasted: 75 of 425 pixels in all
    found = paste(clip, drawn((0, 0, 5, 10), first_id=11))
    assert found.visible.tolist() == [[True, False], [True, True]]
    assert found.boxes.tolist() == [[[5, 0, 40, 10], [0, 0, 0, 0]], [[0, 0, 5, 10]] * 2]


def test_in_each_frame_it_has_a_size_and_a_place_of_its_own():
    """ImageCut2Video, from the definition: pixel by pixel, whatever size and place were drawn."""
    clip, source = drawn(frames=3), drawn((10, 5, 40, 30), first_id=11)
    found = paste(clip, source, (0.8, 1.0), seed=3)
    assert found.visible.tolist() == [[True] * 3] and found.masks.shape == (1, 3, HEIGHT, WIDTH)
    assert len({tuple(box) for box in found.boxes[0].tolist()}) == 3
    for mask, frame, box in zip(found.masks[0], found.frames, found.boxes[0], strict=True):
        x0, y0, x1, y1 = map(int, box.tolist())
        filled = torch.zeros_like(mask)
        filled[y0:y1, x0:x1] = True
        assert torch.equal(mask, filled), "a rectangle stays one"
        assert 0.8 * 30 - 2 <= x1 - x0 <= 30 and 0.8 * 25 - 2 <= y1 - y0 <= 25
        assert torch.equal(frame[:, ~mask], clip.frames[0][:, ~mask])
        inner = frame[:, y0 + 1 : y1 - 1, x0 + 1 : x1 - 1]
        assert (inner == 211).all(), "the object's own colour"


def test_shares_of_the_clip_whatever_the_other_picture_measures():
    source = drawn((0, 0, WIDTH, HEIGHT), first_id=11)
    small = drawn()
    small = replace(small, frames=small.frames[..., :21, :33], masks=small.masks[..., :21, :33])
    found = paste(small, source, (0.5, 0.5))
    assert found.frames.shape == (1, 3, 21, 33)
    assert found.masks.sum() == 10 * 16  # 0.5 * 21 and 0.5 * 33, rounded down


def test_clips_depend_on_seed_and_step_alone_and_paste_of_others(small):
    stills = small.dataset(frames=1)
    shown = {"shorter_sides": (32,), "seed": 4}
    one, other = (CopyPaste(PseudoClips(stills, 3, 0, 0, **shown), (0.8, 1.0)) for _ in range(2))
    changed_ones = 0
    for step in (9, 2, 9, *range(8)):
        clip, again, plain = one[step], other[step], one.clips[step]
        for name in ("frames", "masks", "boxes", "visible"):
            assert torch.equal(getattr(clip, name), getattr(again, name)), name
        own = {track.id for track in stills.tracks_of(clip.video_id)}
        new = set(clip.track_ids) - set(plain.track_ids)
        assert not new & own and clip.video_id == plain.video_id
        assert len(set(clip.track_ids)) == len(clip.track_ids) == len(clip.labels)
        changed_ones += bool(new)
    assert changed_ones > 5
    assert len(one) == 4 and len(list(one)) == 4
    whole = CopyPaste(ClipDataset(small.dataset(), 2, **shown), (0.3, 1.0))
    assert any(len(whole[step].labels) > 2 for step in range(8))


def test_of_a_single_picture_nothing_is_pasted(small):
    stills = PseudoClips(small.dataset(videos=1, frames=1), shorter_sides=(32,))
    assert torch.equal(CopyPaste(stills, (0.5, 1.0))[3].frames, stills[3].frames)


@pytest.mark.parametrize(("level", "held"), [("box", "boxes"), ("none", "no labels")])
def test_a_set_without_masks_is_refused(small, level, held):
    clips = ClipDataset(weaken(small.dataset(), level))
    with pytest.raises(DataError, match=f"by masks alone, and this set has {held}. Make masks"):
        CopyPaste(clips, (0.3, 1.0))


@pytest.mark.parametrize("scales", [(0.0, 1.0), (0.9, 0.5), (0.5, 1.5), (float("nan"), 1.0)])
def test_impossible_scales_are_refused(small, scales):
    with pytest.raises(ValueError, match="scales should be two of"):
        CopyPaste(ClipDataset(small.dataset()), scales)


def test_a_recipe_that_pastes_does_and_another_does_not(small):
    plain = small.recipe("mask2former")
    pasting = changed(plain, {"copy_paste": "(0.3, 1)"})
    assert pasting.copy_paste == (0.3, 1) and plain.copy_paste == ()
    assert type(clips_of(plain, small.dataset(frames=1))) is PseudoClips
    assert type(clips_of(pasting, small.dataset())) is ClipDataset, "into stills alone"
    stills = clips_of(pasting, small.dataset(frames=1))
    assert isinstance(stills, CopyPaste) and isinstance(stills.clips, PseudoClips)
    assert stills.scales == (0.3, 1) and stills.clips.seed == pasting.seed
    assert json.loads(json.dumps(pasting.to_json()))["copy_paste"] == [0.3, 1]


@pytest.mark.parametrize("value", [(0.5,), (1.0, 0.5), (0.0, 1.0), (0.3, 1.2), (0.3, 0.5, 1.0)])
def test_a_recipe_refuses_impossible_sizes(small, value):
    with pytest.raises(DataError, match="copy_paste should be"):
        changed(small.recipe("mask2former"), {"copy_paste": value})


def test_rows_are_found_as_before_the_field_came():
    """A recipe that leaves a young field alone says nothing of it: stored rows keep their keys."""
    run = experiments.group("comparison", "tiny_s")["masks"].seeded(0)
    told = measured.content(run)
    assert all(not set(_YOUNG) & set(stage) for stage in told["stages"])
    field_names = {field.name for field in fields(Recipe)} - {"title", "source", "unknown", *_YOUNG}
    assert all(field_names <= set(stage) for stage in told["stages"]), "and of all else it does"
    pasting = replace(run, stages=(changed(run.stages[0], {"copy_paste": (0.5, 1.0)}),))
    keys = {store.key(measured.content(r), "", 0) for r in (run.of(run.stages[0]), pasting)}
    assert len(keys) == 2
