"""What clips ask of a prediction: boxes filled, masks padded, and clips that don't fit refused."""

from dataclasses import replace

import pytest
import torch
from loss_cases import clip, prediction

from evis.criterion.targets import check_clips, fill_boxes, pad, target_masks
from evis.data.errors import DataError


def test_filled_boxes_hold_the_pixels_whose_centres_are_inside(device):
    boxes = torch.tensor([[[2.0, 1.0, 5.0, 3.0], [2.4, 0.0, 2.45, 9.0], [0.0, 0.0, 0.0, 0.0]]])
    visible = torch.tensor([[True, True, False]])
    filled = fill_boxes(boxes.to(device), visible.to(device), (4, 6))
    expected = torch.zeros(1, 3, 4, 6, dtype=torch.bool)
    expected[0, 0, 1:3, 2:5] = True
    expected[0, 1, :, 2] = True  # thinner than a pixel, but visible
    assert torch.equal(filled.cpu(), expected)


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_clips_lie_in_the_upper_left_of_their_canvas_one_after_another(by, device):
    clips = [clip(1), clip(2, objects=0), clip(3, objects=3, height=48, seed=3)]
    found = target_masks(clips, by, (76, 100), device)
    assert found.shape == (5, 3, 76, 100) and found.device.type == device.type
    assert torch.equal(found[:2, :, :64, :80].cpu(), clips[0].masks)
    assert torch.equal(found[2:, :, :48, :80].cpu(), clips[2].masks)
    assert found.sum() == sum(each.masks.sum() for each in clips)
    frames = pad(clips[0].frames, (76, 100))
    assert torch.equal(frames[..., :64, :80], clips[0].frames) and not frames[..., 64:, :].any()


def test_what_does_not_fit_is_refused_with_the_reason():
    predicted = prediction()
    with pytest.raises(DataError, match="video 7: the clip carries no boxes"):
        check_clips([replace(clip(), boxes=None)], predicted, "boxes")
    with pytest.raises(DataError, match="video 7: the clip carries no masks"):
        check_clips([replace(clip(), masks=None)], predicted, "masks")
    with pytest.raises(ValueError, match="1 clips came with the targets of 2"):
        check_clips([clip(), clip()], predicted, "boxes")
    with pytest.raises(DataError, match="doesn't fit logits of 3 frames of 16 x 20"):
        check_clips([clip(height=96)], predicted, "boxes")
    boxes = clip().boxes.clone()
    boxes[0, 1, 2] = float("nan")
    with pytest.raises(DataError, match="video 7, field boxes: a box holds NaN or infinity"):
        check_clips([replace(clip(), boxes=boxes)], predicted, "boxes")
    with pytest.raises(DataError, match="a clip of 2 frames"):
        check_clips([clip(frames=2)], predicted, "boxes")
    odd = replace(predicted, layers=(prediction(height=8, layers=0),))
    with pytest.raises(ValueError, match=r"layer 1 should be \(B, Q, T, h, w\), .*h = 8"):
        check_clips([clip()], odd, "boxes")
