import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evis.companion import box_cases, fit
from evis.companion.plots import box_supervision as views
from evis.data import toy


@pytest.fixture(scope="module")
def photo():
    return box_cases.flower()


@pytest.fixture(scope="module")
def flower(photo):
    return fit.boxed(photo, stride=4)


def test_the_flower_touches_its_box(photo, flower):
    assert photo.frames.shape == (1, 3, 424, 640) and flower.lab.shape == (1, 3, 106, 160)
    mask, box = fit.shrunk(photo.masks, 4)[0, 0], flower.boxes[0, 0] > 0
    assert (mask & ~box).sum() == 0 and 0.75 < mask.sum() / box.sum() < 0.82
    for axis in (0, 1):
        assert (mask.any(axis) != box.any(axis)).sum() <= 2
    orange = photo.frames[0, :, photo.masks[0, 0]].float().mean(1)
    assert orange[0] > orange[2] + 50


def test_edges_are_counted_by_hand():
    picture = np.full((8, 8, 3), 100, np.uint8)
    picture[:, 4:] = 200
    clip = fit.boxed(box_cases.still(picture, np.ones((1, 8, 8), bool)))
    left = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    left[..., :4] = True
    # 8 x 8 pixels two apart: 48 pairs down, 48 across (16 of these cross), 72 diagonal (24 cross)
    found = box_cases.edges(clip, left, [0.3, 0.0])
    assert found.joined.tolist() == [pytest.approx((48 + 32 + 48) / 168), 1.0]
    assert found.wrong.tolist() == [0.0, pytest.approx(40 / 168)]


def test_an_l_touches_all_four_sides(flower):
    shape, box = box_cases.an_l(flower.boxes)[0, 0], flower.boxes[0, 0]
    assert (shape <= box).all() and shape.sum() < 0.1 * box.sum()
    assert all(torch.equal(shape.amax(axis), box.amax(axis)) for axis in (0, 1))


def test_scenes_hold_their_objects():
    for name in box_cases.SCENES:
        clip = box_cases.scene(name, contrast=40)
        inside, green = clip.masks.any(0)[0], clip.frames[0, 1].float()
        assert green[inside].mean() - green[~inside].mean() == pytest.approx(40, abs=0.5)
        assert (clip.masks.sum(0) <= 1).all()
    clip = box_cases.scene("corner and block", own_colours=True)
    assert clip.frames[0, 0][clip.masks[1, 0]].float().mean() > 140


def test_matches_of_a_still_clip_are_right():
    clip = box_cases.scene("drop")
    known, twice = fit.boxed(clip), clip.masks.expand(1, 2, 64, 96)
    still = fit.Boxed(known.lab.repeat(2, 1, 1, 1), known.boxes.repeat(1, 2, 1, 1))
    quality = box_cases.match_quality(still, twice)
    assert quality["pixels with a match"] == 1.0
    assert quality["of one label: the same place"] == 1.0
    assert quality["of one label: ends of a match"] > quality["of one label: all candidates"]


def test_matches_at_an_outline_are_counted_apart():
    """Here no patch within reach of the outline is the same in both frames."""
    clip = box_cases.scene("drop")
    mask = clip.masks.float()
    band = F.max_pool2d(mask, 17, 1, 8) > -F.max_pool2d(-mask, 17, 1, 8)
    lab = fit.boxed(clip).lab.repeat(2, 1, 1, 1)
    lab[1] += 100 * band[0]  # (3, h, w)
    flickering = fit.Boxed(lab, fit.boxed(clip).boxes.repeat(1, 2, 1, 1))
    quality = box_cases.match_quality(flickering, clip.masks.expand(1, 2, 64, 96))
    assert quality["of pixels at an outline"] == 0 < quality["pixels with a match"]


def test_rules_see_a_clips_boxes_and_descent_is_beside_them():
    clip = box_cases.middle(toy.sample("toy-ytvis19", 2), 1)
    filled = box_cases.by_rule(box_cases.RULES["fill"], clip)
    assert torch.equal(filled.float(), fit.boxed(clip).boxes)
    table = box_cases.compare([clip], steps=3)
    assert list(table) == [*box_cases.RULES, "free logits", "free logits, TK", "colour network"]
    assert table.fill.item() == pytest.approx(float(fit.ious(filled, clip.masks).mean()))


def test_a_window_lies_around_a_box(flower):
    down, across = views.around(flower.boxes[0, 0], margin=2)
    rows, columns = flower.boxes[0, 0].nonzero(as_tuple=True)
    assert (down.start, down.stop) == (rows.min() - 2, rows.max() + 3)
    assert (across.start, across.stop) == (columns.min() - 2, columns.max() + 3)


def test_every_pixel_with_a_gradient_is_drawn(flower):
    box, picture = flower.boxes[0, 0], np.zeros((106, 160, 3), np.uint8)
    slope = torch.zeros(106, 160)
    slope[3, 4], slope[5, 6:9] = 1, -1
    figure = views.shadows(picture, torch.randn(106, 160), box, slope)
    drawn = [len(of.get_offsets()) for of in figure.axes[1].collections]
    assert drawn == [1, 3] and "4 of" in figure.axes[1].get_title()


def test_objects_have_their_colours_on_a_dim_picture_in_white_boxes():
    picture = np.full((12, 20, 3), 100, np.uint8)
    found = torch.zeros(2, 12, 20, dtype=torch.bool)
    found[0, 3:9, 2:8], found[1, 3:9, 12:18] = True, True
    drawn = views.objects(picture, found, found.float(), scale=3)
    assert drawn.shape == (36, 60, 3) and (drawn[1, 1] == 50).all()
    for n, column in enumerate((5, 15)):
        middle = drawn[3 * 6, 3 * column].astype(float)
        assert np.abs(middle - (0.3 * 50 + 0.7 * np.array(views.OBJECTS[n]))).max() <= 1
    assert (drawn[9, 6] == 255).all() and (drawn[26, 53] == 255).all()  # corners of the boxes
    assert (views.objects(picture, found[:0], scale=3) == 100).all()


def test_a_judged_mask_lies_in_a_window_with_its_box():
    picture = np.full((12, 20, 3), 100, np.uint8)
    box = torch.zeros(12, 20)
    box[3:9, 2:8] = 1
    window = views.around(box, margin=1)
    drawn = views.judged(picture, box > 0, box > 0, box, window, scale=3)
    assert drawn.shape == (24, 24, 3)
    assert (drawn[3, 3] == 255).all() and (drawn[0, 0] == 30).all() and (drawn[12, 12] == 100).all()
