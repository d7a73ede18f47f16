import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from evis.papers.eigencluster import box_cases, fit
from evis.papers.eigencluster.figures import box_supervision as views


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def flower():
    return box_cases.flower()


def test_the_flower_touches_its_box(flower):
    picture, clip, truth = flower
    assert picture.shape == (106, 160, 3) and clip.lab.shape == (1, 3, 106, 160)
    mask, box = truth[0, 0], clip.boxes[0, 0] > 0
    assert (mask & ~box).sum() == 0 and 0.75 < mask.sum() / box.sum() < 0.82
    for axis in (0, 1):
        assert (mask.any(axis) != box.any(axis)).sum() <= 2
    orange = picture[mask.numpy()].mean(0)
    assert orange[0] > orange[2] + 50


def test_edges_are_counted_by_hand():
    frames = np.full((1, 8, 8, 3), 100, np.uint8)
    frames[0, :, 4:] = 200
    clip = fit.boxed(frames, [[(0.0, 0.0, 8.0, 8.0)]])
    left = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    left[..., :4] = True
    # 8 x 8 pixels two apart: 48 pairs down, 48 across (16 of these cross), 72 diagonal (24 cross)
    found = box_cases.edges(clip, left, [0.3])
    assert found["joined"] == [pytest.approx((48 + 32 + 48) / 168)] and found["wrong"] == [0.0]
    found = box_cases.edges(clip, left, [0.0])
    assert found["joined"] == [1.0] and found["wrong"] == [pytest.approx(40 / 168)]


def test_shadows_give_a_gradient_to_one_pixel_a_row_and_column(flower):
    picture, clip, _ = flower
    logits = torch.randn(106, 160, generator=torch.Generator().manual_seed(0))
    figure = views.shadows(picture, logits, clip)
    drawn = sum(len(of.get_offsets()) for of in figure.axes[1].collections)
    assert drawn <= 106 + 160 and drawn > 200


def test_an_l_touches_all_four_sides(flower):
    _, clip, _ = flower
    shape, box = box_cases.an_l(clip)[0, 0], clip.boxes[0, 0]
    assert (shape <= box).all() and shape.sum() < 0.1 * box.sum()
    assert all(torch.equal(shape.amax(axis), box.amax(axis)) for axis in (0, 1))


def test_scenes_hold_their_objects():
    for name in box_cases.SCENES:
        picture, truth = box_cases.scene(name, contrast=40)
        inside = truth.any(0)[0].numpy()
        assert picture[inside, 1].mean() - picture[~inside, 1].mean() == pytest.approx(40, abs=0.5)
        assert (truth.sum(0) <= 1).all()
    picture, truth = box_cases.scene("corner and block", own_colours=True)
    assert picture[truth[1, 0].numpy(), 0].mean() > 140


def test_matches_of_a_still_clip_are_right():
    frames = np.repeat(box_cases.scene("drop")[0][None], 2, axis=0)
    _, truth = box_cases.scene("drop")
    clip = fit.boxed(frames, [box_cases.boxes_of(truth)[0] * 2])
    quality = box_cases.match_quality(clip, truth.expand(1, 2, 64, 96))
    assert quality["pixels with a match"] == 1.0
    assert quality["of one label: the same place"] == 1.0
    assert quality["of one label: ends of a match"] > quality["of one label: all candidates"]


def test_the_animation_plays(flower):
    picture, clip, _ = flower
    run = fit.fit(clip, fit.FreeLogits(clip), steps=8)
    moving = Image.open(io.BytesIO(views.animation(picture, clip, {"a": run, "b": run}, every=4)))
    assert moving.n_frames == 3
