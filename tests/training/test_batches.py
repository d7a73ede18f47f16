"""Micro-batches: which clips, of which source, under which classes and how padded."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.data.errors import DataError
from evis.data.types import Category
from evis.training import changed
from evis.training.batches import Batches, admit


@pytest.fixture
def mixed(small):
    recipe = small.recipe("eigencluster.stage2", steps=50, batch=4, micro_batch=2)
    return replace(recipe, mixture=(("videos", 3.0), ("stills", 1.0)))


def _batches(recipe, small, keep_frames=False):
    return Batches(recipe, admit(recipe, small.datasets()), keep_frames)


def _length(batch):
    return batch.frames.shape[1]


def test_sources_take_turns_by_their_shares(small, mixed):
    batches = _batches(mixed, small)
    assert len(batches) == 100
    stills = int((batches.source == 1).sum())
    assert 15 <= stills <= 35
    lengths = {_length(batches[n]) for n in np.flatnonzero(batches.source == 1)[:5]}
    assert lengths == {4}
    assert {_length(batches[n]) for n in np.flatnonzero(batches.source == 0)[:5]} == {2}


def test_a_pass_over_a_source_shows_every_video_once(small, mixed):
    batches = _batches(mixed, small)
    of_videos = np.flatnonzero(batches.source == 0)
    for first in (0, 2, 4):  # two micro-batches of two clips hold four videos
        pair = of_videos[first : first + 2]
        seen = [clip.video_id for number in pair for clip in batches[number].clips]
        assert sorted(seen) == [1, 2, 3, 4]


def test_a_micro_batch_depends_on_its_number_alone(small, mixed):
    longer = _batches(changed(mixed, {"steps": 80}), small, keep_frames=True)
    batches = _batches(mixed, small)
    for number in (37, 5, 37):
        one, other = batches[number], longer[number]
        assert torch.equal(one.frames, other.frames)
        assert [c.video_id for c in one.clips] == [c.video_id for c in other.clips]
    other_seed = _batches(changed(mixed, {"seed": 1}), small)
    assert not torch.equal(batches[0].frames, other_seed[0].frames)


def test_a_set_without_frames_says_so_where_they_would_be_kept_too(small, mixed):
    sets = {name: replace(dataset, read_frame=None) for name, dataset in small.datasets().items()}
    for keep_frames in (False, True):
        batches = Batches(mixed, admit(mixed, sets), keep_frames)
        with pytest.raises(DataError, match="was read without frames. Pass frames_root"):
            batches[0]


def test_clips_lie_in_the_upper_left_of_the_canvas(small, mixed):
    batches = _batches(mixed, small)
    uneven = 0
    for number in range(20):
        batch = batches[number]
        for clip, frames in zip(batch.clips, batch.frames, strict=True):
            height, width = clip.frames.shape[-2:]
            assert torch.equal(frames[..., :height, :width], clip.frames)
            mean = torch.tensor([124, 116, 104]).view(3, 1, 1)  # black would be a colour
            assert (frames[..., height:, :] == mean).all()
            assert (frames[..., width:] == mean).all()
            uneven += frames.shape[-2] > height
    assert uneven, "all clips had one size"


def test_frames_are_read_once_when_kept(small, mixed):
    datasets, reads = small.datasets(), []
    for name, dataset in datasets.items():

        def read(video, frame, of=dataset.read_frame, name=name):
            reads.append((name, video.id, frame))
            return of(video, frame)

        datasets[name] = replace(dataset, read_frame=read)
    batches = Batches(mixed, admit(mixed, datasets), True)
    for number in range(20):
        batches[number]
    assert len(reads) == len(set(reads)) > 10


def test_added_sets_come_under_the_first_ones_classes(small):
    stills = small.dataset(frames=1)  # blue, red, green; objects are blue and red
    classes = (Category(7, "Red"), Category(9, "navy_blue"))
    mapped = stills.under_classes(classes, [("blue", "navy blue")])
    assert mapped.categories == classes
    assert {track.category_id for track in mapped.tracks} == {7, 9}
    before = {track.id: stills.category_names[track.category_id] for track in stills.tracks}
    assert all((before[t.id] == "red") == (t.category_id == 7) for t in mapped.tracks)
    without_red = stills.under_classes(classes, [("blue", "navy blue"), ("red", "")])
    assert {track.category_id for track in without_red.tracks} == {9}


def test_a_set_without_classes_is_refused(small):
    bare = {name: replace(own, categories=(), tracks=()) for name, own in small.uneven().items()}
    with pytest.raises(DataError, match="lists no categories"):
        admit(small.recipe(), bare)


def test_sets_without_a_common_class_are_refused(small):
    with pytest.raises(DataError, match="no class of the added set.*The first has car"):
        small.dataset(frames=1).under_classes([Category(1, "car")])


def test_a_missing_source_is_named(small, mixed):
    datasets = small.datasets()
    with pytest.raises(DataError, match="learns from videos and stills, there is no 'stills'"):
        admit(mixed, {"videos": datasets["videos"]})


def test_what_is_large_moves_once_and_clips_see_it_there(small, device):
    recipe = small.recipe("eigencluster.stage1", steps=2, batch=2)
    batch = _batches(recipe, small)[1]
    moved = batch.to(device)
    assert moved.frames.device.type == device.type and torch.equal(moved.frames.cpu(), batch.frames)
    for number, (there, here) in enumerate(zip(moved.clips, batch.clips, strict=True)):
        assert there.frames.data_ptr() == moved.frames[number].data_ptr()
        assert torch.equal(there.frames.cpu(), here.frames)
        assert torch.equal(there.masks.cpu(), here.masks) and there.masks.device.type == device.type
        assert there.labels is here.labels and there.boxes is here.boxes
