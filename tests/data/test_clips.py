"""Training clips: which frames, one flip and one size, aligned targets, the same on any workers."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from evis.data import Category, DataError, Point, Track, Video, VISDataset, masks
from evis.data.clips import ClipDataset, cut
from evis.data.supervision import P5N5, weaken


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_box_that_is_not_finite_is_refused_where_its_track_is_made(number):
    with pytest.raises(DataError, match="video 7, frame 1: a box of track 3 should be four finite"):
        Track(3, 7, 1, boxes=(None, (1, 2, number, 4)))


HEIGHT, WIDTH = 60, 90


def read_frame(video, frame):
    """Dark, but for the disc that `position` puts there."""
    rows, columns = np.ogrid[: video.height, : video.width]
    y, x = position(frame)
    picture = np.zeros((video.height, video.width, 3), dtype=np.uint8)
    picture[(rows - y) ** 2 + (columns - x) ** 2 < 100] = 255
    picture[..., 2] = frame  # each frame can be told by its blue
    return picture


def position(frame):
    return 20 + frame % 20, 15 + frame % 60


def disc_track(identifier, video, hidden=(), **changes):
    encoded = tuple(
        None if t in hidden else masks.encode(read_frame(video, t)[..., 0] > 0)
        for t in range(video.length)
    )
    boxes = tuple(mask and masks.tight_box(mask) for mask in encoded)
    areas = tuple(mask and float(masks.area(mask)) for mask in encoded)
    return Track(identifier, video.id, 7, boxes, encoded, areas, **changes)


def make(lengths, height=HEIGHT, width=WIDTH, **track):
    videos = tuple(
        Video(3 * n + 1, f"v{n}", height, width, tuple(f"v{n}/{t}" for t in range(length)))
        for n, length in enumerate(lengths)
    )
    tracks = tuple(disc_track(v.id, v, **track) for v in videos)
    return VISDataset(videos, tracks, (Category(4, "other"), Category(7, "disc")), read_frame)


@pytest.fixture(scope="module")
def discs():
    return make([60, 5, 24])


def same(clip, other):
    for name, value in vars(clip).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, getattr(other, name)), name
        else:
            assert value == getattr(other, name), name


def test_a_clip_holds_what_its_comments_say(discs):
    clips = ClipDataset(discs, shorter_sides=(30,))
    clip = clips[0]
    assert clip.frames.shape == (3, 3, 30, 45) and clip.frames.dtype == torch.uint8
    assert clip.frames.is_contiguous()
    assert clip.labels.tolist() == [1] and clip.track_ids == (clip.video_id,)
    assert clip.visible.shape == (1, 3) and clip.visible.all()
    assert clip.boxes.shape == (1, 3, 4) and clip.boxes.dtype == torch.float32
    assert clip.masks.shape == (1, 3, 30, 45) and clip.masks.dtype == torch.bool
    assert clip.points is None
    assert clip.frames[:, 2, 0, 0].tolist() == list(clip.frame_indices), "the frames it names"


def test_three_frames_lie_in_order_within_twenty_of_one_of_them(discs):
    clips = ClipDataset(discs.subset([1]), shorter_sides=(10,))
    spans = set()
    for step in range(400):
        frames = clips[step].frame_indices
        assert len(set(frames)) == 3 and list(frames) == sorted(frames)
        assert frames[0] >= 0 and frames[-1] < 60
        assert any(max(frames) - f <= 20 and f - min(frames) <= 20 for f in frames)
        spans.add(frames[-1] - frames[0])
    assert min(spans) == 2 and 20 < max(spans) <= 40


def test_a_short_range_and_another_count_are_kept(discs):
    clips = ClipDataset(discs.subset([1]), frames=2, frame_range=1, shorter_sides=(10,))
    seen = {clips[step].frame_indices for step in range(300)}
    assert {last - first for first, last in seen} == {1}
    assert len(seen) > 50, "anywhere in the video"
    assert len(ClipDataset(discs, frames=1, shorter_sides=(10,))[0].frame_indices) == 1


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_videos_repeat_frames_only_where_they_must(length):
    clips = ClipDataset(make([length]), shorter_sides=(10,))
    for step in range(20):
        frames = clips[step].frame_indices
        assert len(frames) == 3 and set(frames) == set(range(length))
        assert list(frames) == sorted(frames)


def test_every_pass_shows_every_video_once_in_a_new_order():
    clips = ClipDataset(make([1] * 8), shorter_sides=(10,))
    passes = [[clips[8 * n + step].video_id for step in range(8)] for n in range(4)]
    assert all(sorted(one) == [3 * n + 1 for n in range(8)] for one in passes)
    assert len({tuple(one) for one in passes}) == 4
    assert [clip.video_id for clip in clips] == passes[0], "a loop ends after one pass"
    with pytest.raises(IndexError):
        clips[-1]


def test_one_flip_and_one_size_a_clip(discs):
    clips = ClipDataset(discs, shorter_sides=(30, 45))
    seen = set()
    for step in range(40):
        clip = clips[step]
        height, width = clip.frames.shape[2:]
        scale = height / HEIGHT
        assert (height, width) in ((30, 45), (45, 68))
        flips = set()
        for frame, picture in zip(clip.frame_indices, clip.frames, strict=True):
            y, x = position(frame)
            centre = picture[0].double().sum(0) @ torch.arange(width).double() / picture[0].sum()
            plain, mirrored = (x + 0.5) * scale - 0.5, width - (x + 0.5) * scale - 0.5
            assert min(abs(centre - plain), abs(centre - mirrored)) < 1
            if abs(plain - mirrored) > 3:
                flips.add(bool(abs(centre - mirrored) < abs(centre - plain)))
        assert len(flips) <= 1
        seen |= {(height, flip) for flip in flips}
    assert seen == {(30, False), (30, True), (45, False), (45, True)}


def test_flips_come_as_often_as_asked(discs):
    never, always = (ClipDataset(discs, shorter_sides=(60,), flip=p) for p in (0.0, 1.0))
    for step in range(5):
        plain, flipped = never[step], always[step]
        assert torch.equal(plain.frames.flip(-1), flipped.frames)
        assert torch.equal(plain.masks.flip(-1), flipped.masks)
        x0, y0, x1, y1 = plain.boxes.unbind(-1)
        assert torch.equal(torch.stack([90 - x1, y0, 90 - x0, y1], -1), flipped.boxes)
        for clip in (plain, flipped):
            assert torch.equal(clip.masks[0], clip.frames[:, 0] > 0)


@pytest.mark.parametrize("shorter_side", [23, 60, 151])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_masks_boxes_and_pictures_stay_aligned(discs, shorter_side, flip):
    clips = ClipDataset(discs, shorter_sides=(shorter_side,), flip=flip)
    for step in range(6):
        clip = clips[step]
        scale = shorter_side / HEIGHT
        for mask, box, picture in zip(clip.masks[0], clip.boxes[0], clip.frames, strict=True):
            rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
            tight = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert (tight - box).abs().max() <= max(1, scale)
            bright = picture[0] > 127
            assert (bright ^ mask).sum() <= 0.25 * (bright | mask).sum()
            assert (bright & mask).sum() > 0.8 * mask.sum()


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_points_move_with_the_picture(discs, flip):
    weak = weaken(discs, "point", P5N5)
    for side in (30, 60, 120):
        clips = ClipDataset(weak, shorter_sides=(side,), flip=flip)
        for step in range(4):
            clip = clips[step]
            assert clip.masks is None and clip.boxes is None
            assert clip.points.dtype == torch.long and clip.points.shape == (30, 5)
            for target, t, x, y, positive in clip.points.tolist():
                frame = clip.frame_indices[t]
                scale = side / HEIGHT
                original = (clip.frames.shape[-1] - 1 - x if flip else x + 0.0), y
                source = [
                    p
                    for p in weak.tracks_of(clip.video_id)[target].points[frame]
                    if [int((p.x + 0.5) * scale), int((p.y + 0.5) * scale)] == list(original)
                ]
                assert bool(positive) in {p.positive for p in source}
                if side == 60:
                    assert bool(clip.frames[t, 0, y, x]) == bool(positive)


def test_a_point_in_each_corner_stays_in_the_frame():
    dataset = make([1])
    corners = tuple(Point(x, y, True) for x in (0, WIDTH - 1) for y in (0, HEIGHT - 1))
    track = Track(1, 1, 7, points=(corners,))
    dataset = replace(dataset, tracks=(track,), supervision="point")
    for side, flip in itertools.product((7, 60, 333), (0.0, 1.0)):
        clip = ClipDataset(dataset, frames=1, shorter_sides=(side,), flip=flip)[0]
        width = clip.frames.shape[-1]
        assert {tuple(p[2:4]) for p in clip.points.tolist()} == {
            (int((x + 0.5) * width / WIDTH), int((y + 0.5) * side / HEIGHT))
            for x in (0, WIDTH - 1)
            for y in (0, HEIGHT - 1)
        }


def test_boxes_are_cut_at_the_frame():
    dataset = make([1])
    track = Track(1, 1, 7, boxes=((-10.0, -5.0, 200.0, 30.0),))
    dataset = replace(dataset, tracks=(track,), supervision="box")
    clip = ClipDataset(dataset, frames=1, shorter_sides=(30,))[0]
    assert clip.boxes.tolist() == [[[0, 0, 45, 12.5]]] and clip.masks is None


def test_the_longest_side_limits_the_size():
    clips = ClipDataset(make([2], height=20, width=90), shorter_sides=(40,), longest_side=100)
    assert clips[0].frames.shape[2:] == (22, 100)


def test_hidden_objects_and_crowds():
    dataset = make([3], hidden=(1,))
    clip = ClipDataset(dataset, shorter_sides=(30,))[0]
    assert clip.visible.tolist() == [[True, False, True]]
    assert (clip.boxes[0, 1] == 0).all() and not clip.masks[0, 1].any()
    crowd = replace(dataset.tracks[0], id=9, is_crowd=True)
    with_crowd = replace(dataset, tracks=(*dataset.tracks, crowd))
    assert ClipDataset(with_crowd, shorter_sides=(30,))[0].track_ids == (1,)
    never_seen = replace(dataset.tracks[0], id=8, masks=(None,) * 3, boxes=(None,) * 3)
    with_ghost = replace(dataset, tracks=(*dataset.tracks, never_seen))
    assert ClipDataset(with_ghost, shorter_sides=(30,))[0].track_ids == (1,)
    with pytest.raises(DataError, match="no video has a track to learn from"):
        ClipDataset(replace(dataset, tracks=(crowd, never_seen)))


def test_videos_without_a_track_are_left_out_unless_nothing_is_labelled(discs):
    partly = replace(discs, tracks=discs.tracks[1:])
    assert ClipDataset(partly).video_ids == [4, 7]
    assert ClipDataset(weaken(partly, "none")).video_ids == [1, 4, 7]


def test_impossible_sizes_are_refused(discs):
    for wrong in ({"frames": 0}, {"frame_range": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            ClipDataset(discs, **wrong)


def test_a_step_depends_on_the_seed_and_nothing_else(discs):
    clips = ClipDataset(discs, seed=5, shorter_sides=(24, 30))
    forwards = [clips[step] for step in range(6)]
    again = ClipDataset(discs, seed=5, shorter_sides=(24, 30))
    for step in reversed(range(6)):
        same(forwards[step], again[step])
    others = ClipDataset(discs, seed=6, shorter_sides=(24, 30))
    assert any(others[n].frame_indices != forwards[n].frame_indices for n in range(6))


@pytest.mark.parametrize("level", ["mask", "point"])
def test_any_number_of_workers_gives_the_same_clips(discs, level):
    clips = ClipDataset(weaken(discs, level), shorter_sides=(24, 30), seed=2)
    alone, helped = (
        list(DataLoader(clips, batch_size=None, sampler=range(12), num_workers=n, timeout=n * 300))
        for n in (0, 2)
    )
    assert len(alone) == len(helped) == 12
    for clip, other in zip(alone, helped, strict=True):
        same(clip, other)


def test_an_error_in_a_worker_keeps_its_message(read, document, frames_root):
    (frames_root / "ff00" / "img_0000001.jpg").unlink()
    clips = ClipDataset(read(document, frames_root), shorter_sides=(20,))
    loader = DataLoader(clips, batch_size=None, num_workers=1, timeout=300)
    with pytest.raises(DataError, match="video ff00, frame 0: the frame is missing"):
        list(loader)


def test_a_cut_is_the_frames_as_they_are(discs):
    video = discs.videos[0]
    clip = cut(discs, video.id, (2, 0))
    assert clip.frame_indices == (2, 0) and clip.video_id == video.id
    for t, frame in enumerate((2, 0)):
        assert (clip.frames[t].permute(1, 2, 0).numpy() == discs.frame(video.id, frame)).all()
        for n, identifier in enumerate(clip.track_ids):
            track = next(track for track in discs.tracks if track.id == identifier)
            mask = track.mask(frame)
            expected = np.zeros((video.height, video.width), bool) if mask is None else mask
            assert (clip.masks[n, t].numpy() == expected).all()
