"""Varied frames: masks follow turns and nothing else; a clip is fixed by (seed, step)."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evis import papers
from evis.data import masks
from evis.data.clips import ClipDataset
from evis.data.copy_paste import CopyPaste
from evis.data.errors import DataError
from evis.data.pseudo_clips import PseudoClips
from evis.data.supervision import weaken
from evis.data.varied import Varied, lit
from evis.training import changed
from evis.training.batches import clips_of
from evis.training.recipe import _YOUNG


@pytest.fixture
def clips(small):
    return ClipDataset(small.dataset(), frames=2, frame_range=4, shorter_sides=(32,), seed=3)


def test_light_changes_colours_alone(clips):
    """By hand: brighter by a factor, then away from the frame's mean; masks and boxes stay."""
    varied = Varied(clips, brightness=0.3, contrast=0.3, seed=3)
    generator = np.random.default_rng([3, 5, 1])
    generator.uniform(0, 0, 2)  # the angles
    brightness, contrast = (1 + generator.uniform(-0.3, 0.3, 2) for _ in range(2))
    plain, clip = clips[1], varied[1]
    for t in range(2):
        light = plain.frames[t].numpy() * brightness[t]
        wanted = light.mean() + contrast[t] * (light - light.mean())
        assert np.abs(clip.frames[t].numpy() - wanted.clip(0, 255)).max() <= 0.5 + 1e-6
    assert not torch.equal(clip.frames, plain.frames)
    assert torch.equal(clip.masks, plain.masks) and torch.equal(clip.boxes, plain.boxes)


def test_light_stays_within_a_pixels_range():
    frames = torch.tensor([0, 100, 250], dtype=torch.uint8).view(1, 3, 1, 1).repeat(2, 1, 2, 2)
    once = lit(frames, np.array([1.5, 1.0]), np.array([1.0, 1.0]))
    assert once[0, :, 0, 0].tolist() == [0, 150, 255] and torch.equal(once[1], frames[1])
    starker = lit(frames[:1], np.array([1.0]), np.array([2.0]))  # the mean is 350 / 3
    assert starker[0, :, 0, 0].tolist() == [0, 83, 255]


def test_each_frame_turns_for_itself_and_masks_turn_with_it(small):
    """A mask that is a picture's bright part is so after the turn, but for its outline."""
    dataset = small.dataset()
    bright = Varied(ClipDataset(dataset, 2, 4, (32,), flip=0, seed=1), rotation=30, seed=1)
    turned = [[], []]
    for step in range(4):
        clip, before = bright[step], bright.clips[step]
        for t in range(2):
            turned[t].append(not torch.equal(clip.masks[:, t], before.masks[:, t]))
        shown = (clip.frames > 200).any(1)
        claimed = clip.masks.any(0)
        assert (shown & ~claimed).float().mean() < 0.02
        assert (claimed & ~shown).float().mean() < 0.05
    assert all(any(of_frame) for of_frame in turned)
    still = dataset.subset([1])
    alike = replace(still, tracks=tuple(replace(t, masks=t.masks[:1] * 5) for t in still.tracks))
    first, second = Varied(ClipDataset(alike, 2, 4, (32,)), rotation=30)[0].masks.unbind(1)
    assert not torch.equal(first, second), "one mask in both frames, under two turns"


def test_what_turns_out_of_view_is_no_target(small):
    dataset = small.dataset()
    corner = np.zeros((32, 48), dtype=bool)
    corner[:2, :2] = True
    tracks = [
        replace(t, masks=(masks.encode(corner),) * 5, boxes=None, areas=None)
        for t in dataset.tracks
    ]
    cornered = replace(dataset, tracks=tuple(t.with_masks(t.masks) for t in tracks))
    found = [len(c.labels) for c in Varied(ClipDataset(cornered, 1, flip=0), rotation=40)]
    assert 0 in found, "a corner leaves the view where the frame turns far"


def test_a_clip_depends_on_seed_and_step_alone(clips):
    one, same, other = (Varied(clips, 15, 0.1, 0.1, seed) for seed in (3, 3, 4))
    for step in (5, 1, 5):
        assert torch.equal(one[step].frames, same[step].frames)
        assert torch.equal(one[step].masks, same[step].masks)
    assert not torch.equal(one[1].frames, other[1].frames)
    assert len(one) == len(clips) and len(list(one)) == len(clips)
    nothing = Varied(clips)[1]
    assert torch.equal(nothing.frames, clips[1].frames)


def test_points_are_not_turned_but_may_be_lit(small):
    points = ClipDataset(weaken(small.dataset(), "point"))
    assert Varied(points, brightness=0.1)[0].points is not None
    with pytest.raises(DataError, match="this clip has points. Set frame_rotation to 0"):
        Varied(points, rotation=5)[0]


@pytest.mark.parametrize("values", [(-1, 0, 0), (0, 1.5, 0), (0, 0, float("nan"))])
def test_impossible_ranges_are_refused(clips, values):
    with pytest.raises(ValueError, match="brightness and contrast in"):
        Varied(clips, *values)


def test_a_recipe_varies_what_it_says(small):
    plain = small.recipe("mask2former")
    assert type(clips_of(plain, small.dataset())) is ClipDataset
    varied = clips_of(changed(plain, {"brightness": 0.2, "seed": 7}), small.dataset())
    assert (varied.rotation, varied.brightness, varied.contrast) == (0.0, 0.2, 0.0)
    assert varied.seed == 7
    videocutler = papers.named("videocutler", toy=True)
    stills = clips_of(videocutler, small.dataset(frames=1))
    assert (stills.rotation, stills.brightness, stills.contrast) == (15.0, 0.1, 0.1)
    assert isinstance(stills.clips, CopyPaste) and isinstance(stills.clips.clips, PseudoClips)
    pairs = clips_of(papers.named("flowcut.stills", toy=True), small.dataset())
    assert isinstance(pairs.clips, ClipDataset), "nothing is pasted into pairs"


@pytest.mark.parametrize(
    "change", [{"frame_rotation": -1}, {"brightness": 1.5}, {"contrast": "high"}, {"dropout": 1}]
)
def test_a_recipe_refuses_impossible_values(change):
    (name,) = change
    with pytest.raises(DataError, match=f"{name} should be"):
        changed(papers.named("flowcut"), change)


def test_recipes_say_nothing_of_what_they_leave_alone():
    """So that rows and weights of before the fields came are found as ever."""
    changes_frames = {"frame_rotation", "brightness", "contrast", "dropout"}
    for name in papers.recipe_names():
        told = set(papers.named(name).to_json()) & set(_YOUNG)
        pastes = {"copy_paste"} if name[:6] == "cutler" else set()
        if name in ("videocutler", "flowcut", "flowcut.stills"):
            pastes = changes_frames | ({"copy_paste"} if name != "flowcut" else set())
        assert told == pastes, name
