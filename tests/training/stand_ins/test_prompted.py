"""toy_sam's training: boxes a little off and masks go together; no mask of a video is taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.foundation.toy_sam import SIDE
from evis.training import stand_ins


def recipe(**changes):
    few = {"steps": 2, "batch": 6, "size": (32, 48), "warm_up_steps": 1, "width": 2}
    return replace(stand_ins.named("toy_sam"), **few | changes)


def test_a_batch_shows_objects_their_boxes_and_masks(stills):
    """The objects are bright boxes, so that mask and prompt nearly agree."""
    task = recipe(jitter=0.0).task(stills)
    assert len(task.objects) == sum(track.masks[0] is not None for track in stills.tracks)
    shown, wanted = task.draw(np.random.default_rng(0))
    assert shown.shape == (6, 4, SIDE, SIDE) and wanted.shape == (6, SIDE, SIDE)
    prompts = shown[:, 3] > 0.5
    overlap = (prompts & (wanted > 0.5)).sum((1, 2)) / (prompts | (wanted > 0.5)).sum((1, 2))
    assert overlap.min() > 0.8
    assert 0.3 < prompts.float().mean() < 0.8, "something of the surroundings is seen"


def test_boxes_are_drawn_off_and_masks_stay_where_they_are(stills):
    prompts = []
    for jitter in (0.0, 0.3):
        shown, wanted = recipe(jitter=jitter).task(stills).draw(np.random.default_rng(0))
        prompts.append(shown[:, 3])
    assert (prompts[0] - prompts[1]).abs().max() > 0.5


def test_terms_by_hand(stills):
    task = recipe(light=0.0).task(stills)
    made = task(0, torch.Generator().manual_seed(3))
    number = int(torch.randint(2**62, (), generator=torch.Generator().manual_seed(3)))
    shown, wanted = task.draw(np.random.default_rng(number))
    logits = task.network(shown[:, :3], shown[:, 3])
    p = logits.sigmoid()
    bce = -(wanted * p.log() + (1 - wanted) * (1 - p).log()).mean()
    both, each = (p * wanted).sum((1, 2)), p.sum((1, 2)) + wanted.sum((1, 2))
    dice = (1 - (2 * both + 1) / (each + 1)).mean()
    torch.testing.assert_close(made["bce"], bce, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made["dice"], dice, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made["total"], bce + dice, rtol=1e-4, atol=1e-5)
    found, true = logits > 0, wanted > 0.5
    ious = (found & true).sum((1, 2)) / (found | true).sum((1, 2))
    torch.testing.assert_close(made["iou"], ious.mean())


def test_videos_and_boxes_teach_it_nothing(stills):
    video = replace(stills.videos[0], frames=("a.png", "b.png"))
    with pytest.raises(DataError, match="learns from no mask of a video.*stills"):
        recipe().task(replace(stills, videos=(video, *stills.videos[1:])))
    with pytest.raises(DataError, match="no mask to learn from"):
        recipe().task(weaken(stills, "box"))
