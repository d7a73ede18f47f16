"""Pseudo clips: what moves, moves alike in picture, mask and box; nothing else gets in."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.data.clips import Clip
from evis.data.pseudo_clips import PseudoClips, turn_and_shift, views
from evis.data.supervision import weaken


def _picture(height=60, width=80):
    """A white rectangle, x 20 to 40 and y 10 to 30, on black."""
    mask = torch.zeros(1, 1, height, width, dtype=torch.bool)
    mask[..., 10:30, 20:40] = True
    return Clip(
        frames=(255 * mask.expand(-1, 3, -1, -1)).to(torch.uint8),
        video_id=3,
        frame_indices=(0,),
        track_ids=(5,),
        labels=torch.tensor([1]),
        visible=torch.ones(1, 1, dtype=torch.bool),
        boxes=torch.tensor([[[20.0, 10.0, 40.0, 30.0]]]),
        masks=mask,
    )


def test_a_shift_by_whole_pixels_is_exact():
    clip = views(
        _picture(), [turn_and_shift(60, 80, 0, 0, 0), turn_and_shift(60, 80, 0, 0.1, -0.05)]
    )
    assert clip.boxes[0].tolist() == [[20, 10, 40, 30], [28, 7, 48, 27]]
    expected = torch.zeros(60, 80, dtype=torch.bool)
    expected[7:27, 28:48] = True
    assert torch.equal(clip.masks[0, 1], expected)
    assert torch.equal(clip.frames[1, 0] > 128, expected)
    assert torch.equal(clip.masks[0, 0], _picture().masks[0, 0])
    assert torch.equal(clip.frames[0], _picture().frames[0])


def test_a_quarter_turn_is_exact_about_the_centre():
    clip = views(_picture(80, 80), [turn_and_shift(80, 80, 90, 0, 0)])
    turned = torch.rot90(_picture(80, 80).masks[0, 0], -1)  # x right, y down: from x towards y
    assert torch.equal(clip.masks[0, 0], turned)
    assert torch.equal(clip.frames[0, 0] > 128, turned)
    assert clip.boxes[0, 0].tolist() == pytest.approx([50, 20, 70, 40])


@pytest.mark.parametrize("angle", [-30, 7, 15, 45])
def test_a_turned_box_encloses_the_turned_mask(angle):
    clip = views(_picture(), [turn_and_shift(60, 80, angle, 0.03, 0.02)])
    rows, columns = np.nonzero(clip.masks[0, 0].numpy())
    x0, y0, x1, y1 = clip.boxes[0, 0].tolist()
    assert x0 - 1 <= columns.min() and columns.max() + 1 <= x1 + 1
    assert y0 - 1 <= rows.min() and rows.max() + 1 <= y1 + 1
    grown = np.cos(np.radians(angle)) + abs(np.sin(np.radians(angle)))
    assert x1 - x0 == pytest.approx(20 * grown, abs=1e-3)


def test_what_leaves_the_view_is_not_visible_and_what_leaves_all_is_no_target():
    away = turn_and_shift(60, 80, 0, 0.75, 0)
    clip = views(_picture(), [turn_and_shift(60, 80, 0, 0, 0), away])
    assert clip.visible.tolist() == [[True, False]]
    assert clip.boxes[0, 1].tolist() == [0, 0, 0, 0] and not clip.masks[0, 1].any()
    gone = views(_picture(), [away, away])
    assert gone.track_ids == () and gone.labels.shape == (0,)
    assert gone.boxes.shape == (0, 2, 4) and gone.masks.shape == (0, 2, 60, 80)
    assert gone.frames.shape == (2, 3, 60, 80)


def test_clips_depend_on_seed_and_step_alone(small):
    stills = small.dataset(frames=1)
    one, other = PseudoClips(stills, seed=4), PseudoClips(stills, seed=4)
    for step in (9, 2, 9):
        assert torch.equal(one[step].frames, other[step].frames)
        assert torch.equal(one[step].boxes, other[step].boxes)
    assert not torch.equal(one[2].frames, PseudoClips(stills, seed=5)[2].frames)
    clip = one[0]
    assert clip.frames.shape[0] == 4 and clip.frame_indices == (0, 0, 0, 0)
    assert not torch.equal(clip.frames[0], clip.frames[1])
    assert sorted(clip.video_id for clip in one) == [1, 2, 3, 4]


def test_without_rotation_and_shift_it_is_the_picture(small):
    clip = PseudoClips(small.dataset(frames=1), 2, 0, 0, shorter_sides=(32,), flip=0)[0]
    stills = small.dataset(frames=1)
    expected = torch.from_numpy(stills.frame(clip.video_id, 0)).permute(2, 0, 1)
    assert torch.equal(clip.frames[0], expected) and torch.equal(clip.frames[1], expected)
    masks = torch.from_numpy(stills.mask_stack(clip.video_id))
    assert torch.equal(clip.masks, masks.expand(-1, 2, -1, -1))


def test_under_boxes_there_is_no_mask_and_the_boxes_are_the_same(small):
    stills = small.dataset(frames=1)
    full, boxes = PseudoClips(stills)[1], PseudoClips(weaken(stills, "box"))[1]
    assert boxes.masks is None
    assert torch.equal(full.boxes, boxes.boxes) and torch.equal(full.frames, boxes.frames)
    nothing = PseudoClips(weaken(stills, "none"))[1]
    assert nothing.boxes is None and nothing.labels.shape == (0,)


def test_clicks_move_with_what_they_are_on():
    one = _picture()
    rows = [(0, 0, x, y, int(one.masks[0, 0, y, x])) for x in range(80) for y in range(60)]
    clicked = replace(one, points=torch.tensor(rows))
    moves = [
        turn_and_shift(60, 80, 0, 0, 0),
        turn_and_shift(60, 80, 0, 0.1, -0.05),
        turn_and_shift(60, 80, 90, 0, 0),
    ]
    clip = views(clicked, moves)
    assert torch.equal(clip.points[: len(rows)], clicked.points)
    for t in (1, 2):
        _, frames, x, y, positive = clip.points.unbind(1)
        here = frames == t
        assert torch.equal(clip.masks[0, t, y[here], x[here]], positive[here] == 1)
        assert positive[here].sum() == 400
    assert (clip.points[:, 1] == 1).sum() == 72 * 57  # the others left the picture


def test_without_masks_an_object_shows_where_a_click_does():
    one = replace(_picture(), masks=None, boxes=None, labels=torch.tensor([1, 0, 1]))
    one = replace(one, visible=torch.ones(3, 1, dtype=torch.bool), track_ids=(5, 6, 7))
    points = torch.tensor([[0, 0, 70, 30, 1], [1, 0, 75, 30, 1], [2, 0, 5, 9, 1], [2, 0, 70, 9, 0]])
    right = [turn_and_shift(60, 80, 0, share, 0) for share in (0.1, 0.2)]
    clip = views(replace(one, points=points), right)
    assert clip.track_ids == (5, 7) and clip.labels.tolist() == [1, 1]
    assert clip.visible.tolist() == [[True, False], [True, True]]
    expected = [[0, 0, 78, 30, 1], [1, 0, 13, 9, 1], [1, 0, 78, 9, 0], [1, 1, 21, 9, 1]]
    assert clip.points.tolist() == expected
    gone = views(replace(one, points=points[:2]), [turn_and_shift(60, 80, 0, 0.9, 0)])
    assert gone.labels.shape == (0,) and gone.points.shape == (0, 5)


def test_clips_of_clicked_pictures_carry_clicks_on_the_objects(small):
    given = small.dataset(frames=1)
    clips = PseudoClips(weaken(given, "point"), 3, shorter_sides=(32,))
    whole = PseudoClips(given, 3, shorter_sides=(32,))
    for step in range(4):
        clip, true = clips[step], whole[step]
        assert torch.equal(clip.frames, true.frames) and clip.masks is None
        for n, t, x, y, _ in clip.points.tolist():
            mask = true.masks[true.track_ids.index(clip.track_ids[n]), t]
            assert mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any()


def test_impossible_moves_are_refused(small):
    with pytest.raises(ValueError, match="rotation in"):
        PseudoClips(small.dataset(frames=1), rotation=-1)
