"""Self-distillation: its formulas by hand, views and places by geometry, a few steps of it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.training import stand_ins
from evis.training.stand_ins import self_distillation as distil


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def ramps(count=2, height=32, width=48):
    """Pictures whose red is where one is from left to right, and green from top to bottom, 0..1."""
    x = (torch.arange(width) + 0.5) / width
    y = (torch.arange(height) + 0.5) / height
    red, green = x.expand(height, width), y[:, None].expand(height, width)
    return torch.stack([red, green, 0 * red]).expand(count, 3, height, width)


def test_views_show_the_part_that_their_places_say(generator):
    seen, places = distil.views(ramps(), 3, (16, 24), (0.4, 0.9), 0.0, generator)
    assert seen.shape == (6, 3, 16, 24) and places.shape == (6, 2, 3)
    for view, place in zip(seen, places, strict=True):
        for row, column in ((5, 7), (8, 12), (10, 20)):
            at = torch.tensor([(column + 0.5) / 12 - 1, (row + 0.5) / 8 - 1, 1])
            wanted = (place @ at + 1) / 2  # x, y as shares of the picture
            assert torch.allclose(view[:2, row, column], wanted, atol=0.01)
    share = places[:, 1, 1]
    assert ((share >= 0.4) & (share <= 0.9)).all() and len(share.unique()) == 6
    assert torch.allclose(places[:, 0, 0].abs(), share)
    assert (places[:, :, 2].abs() <= 1 - share[:, None] + 1e-6).all()  # nothing from outside
    assert {-1.0, 1.0} == set(places[:, 0, 0].sign().tolist())


def test_light_changes_and_stays_within_range(generator):
    plain = torch.full((1, 3, 16, 16), 0.5)
    plain[:, 0] = 0.8
    seen, _ = distil.views(plain, 50, (8, 8), (0.5, 0.5), 0.4, generator)
    assert seen.min() >= 0 and seen.max() <= 1
    bright = seen.mean((1, 2, 3)) / plain.mean()
    assert 0.59 < bright.min() < 0.8 and 1.1 < bright.max() < 1.41
    again, _ = distil.views(plain, 50, (8, 8), (0.5, 0.5), 0.0, generator)
    assert torch.allclose(again, plain[:, :, :8, :8].expand(50, -1, -1, -1), atol=1e-6)


def test_corresponding_places_show_the_same_of_a_picture(generator):
    """The maps of one view, looked at from another, are that other view."""
    one, places = distil.views(ramps(), 4, (24, 36), (0.6, 1.0), 0.0, generator)
    other, there = distil.views(ramps(), 4, (12, 16), (0.3, 0.6), 0.0, generator)
    said, inside = distil.corresponding(one, places, there, (12, 16))
    assert said.shape == other.shape and inside.shape == (8, 12, 16)
    assert 0.2 < inside.float().mean() < 1
    off = (said - other)[:, :2].abs().amax(1)
    # Where nothing lies beyond the middles of the view's outermost pixels, up to rounding.
    assert off[inside].max() < 0.03 and off[inside].median() < 1e-4
    assert off[~inside].max() > 0.1


def test_a_place_of_the_same_view_is_itself(generator):
    maps = torch.rand(3, 5, 6, 8, generator=generator)
    _, places = distil.views(ramps(3), 1, (24, 32), (0.5, 1.0), 0.0, generator)
    said, inside = distil.corresponding(maps, places, places, (6, 8))
    assert torch.allclose(said, maps, atol=1e-5) and inside.all()


def test_targets_are_centred_and_sharpened():
    cosines = torch.tensor([0.9, 0.7, -0.2]).view(1, 3, 1, 1)
    centre = torch.tensor([0.5, 0.0, 0.0])
    by_hand = [math.exp((c - o) / 0.1) for c, o in ((0.9, 0.5), (0.7, 0.0), (-0.2, 0.0))]
    wanted = torch.tensor(by_hand) / sum(by_hand)
    assert torch.allclose(distil.targets(cosines, centre, 0.1).flatten(), wanted)
    assert distil.targets(cosines, centre, 0.1).argmax() == 1  # by the cosines alone it is 0
    sharper = distil.targets(cosines, centre, 0.02)
    assert (
        distil.entropy(sharper).item() < distil.entropy(distil.targets(cosines, centre, 1)).item()
    )


def test_cross_entropy_by_hand_over_the_places_that_count(generator):
    wanted = torch.rand(2, 4, 3, 3, generator=generator).softmax(1)
    cosines = torch.rand(2, 4, 3, 3, generator=generator)
    where = torch.rand(2, 3, 3, generator=generator) < 0.5
    total, count = 0.0, 0
    for b, i, j in where.nonzero().tolist():
        exponentials = [math.exp(c / 0.1) for c in cosines[b, :, i, j].tolist()]
        for p, e in zip(wanted[b, :, i, j].tolist(), exponentials, strict=True):
            total -= p * math.log(e / sum(exponentials))
        count += 1
    found = distil.cross_entropy(wanted, cosines, where, 0.1)
    assert found.item() == pytest.approx(total / count, rel=1e-5)
    assert distil.cross_entropy(wanted, cosines, where & False, 0.1).item() == 0


def test_entropy_is_between_none_and_that_of_all_alike():
    sure = torch.eye(8)[:1].view(1, 8, 1, 1)
    assert distil.entropy(sure).item() == 0
    assert distil.entropy(torch.full((1, 8, 1, 1), 1 / 8)).item() == pytest.approx(math.log(8))


def test_the_teacher_follows_by_its_momentum():
    teacher, student = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    before = [p.clone() for p in teacher.parameters()]
    distil.follow(teacher, student, 0.9)
    for old, own, other in zip(before, teacher.parameters(), student.parameters(), strict=True):
        assert torch.allclose(own, 0.9 * old + 0.1 * other)
    moments = [distil.momentum(0.96, step, 100) for step in (0, 50, 100)]
    assert moments == pytest.approx([0.96, 0.98, 1.0])


@pytest.fixture
def task(stills):
    torch.manual_seed(0)
    return small().task(stills)


def small(**changes):
    few = {"steps": 6, "batch": 2, "size": (32, 48), "width": 8, "blocks": 1, "prototypes": 16}
    few |= {"large": (24, 32), "small": (12, 16), "small_views": 2, "warm_up_steps": 1}
    return replace(stand_ins.named("toy_dino"), **few | changes)


def test_a_step_centres_by_what_the_teacher_said(task, generator):
    """And reaches the student alone."""
    outputs = []
    task.network.register_forward_hook(lambda module, given, made: outputs.append(made))
    terms = task(0, generator)
    terms["total"].backward()
    (said,) = outputs
    assert torch.allclose(task.centre, 0.1 * said.mean((0, 2, 3)), atol=1e-6)
    assert all(parameter.grad is None for parameter in task.network.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in task.learned.parameters())
    assert 0 < terms["entropy_of_patch"] <= terms["entropy_of_all"] < math.log(16) + 1e-4


def test_student_and_teacher_are_never_compared_on_one_view(stills):
    """With one pair of views and equal networks, the loss is that of the two crosswise."""
    torch.manual_seed(0)
    task = small(small_views=0, batch=1).task(stills)
    total = task(0, torch.Generator().manual_seed(3))["total"].item()
    generator = torch.Generator().manual_seed(3)
    chosen = torch.randint(len(task.pictures), (1,), generator=generator)
    recipe = task.recipe
    large, places = distil.views(
        task.pictures[chosen] / 255, 2, recipe.large, recipe.large_scale, recipe.light, generator
    )
    cosines = task.network(large)
    wanted = distil.targets(cosines, torch.zeros(16), recipe.teacher_temperature)
    losses = []
    for own, other in ((0, 1), (1, 0)):
        said, inside = distil.corresponding(
            wanted[[own]], places[[own]], places[[other]], cosines.shape[-2:]
        )
        losses.append(distil.cross_entropy(said, cosines[[other]], inside, recipe.temperature))
    assert total == pytest.approx(np.mean([loss.item() for loss in losses]), rel=1e-5)


def test_no_label_is_looked_at(stills):
    totals = []
    for given in (stills, stills.bare()):
        torch.manual_seed(0)
        task = small().task(given)
        totals.append(task(0, torch.Generator().manual_seed(0))["total"].item())
    assert totals[0] == totals[1]


@pytest.mark.slow
def test_a_student_learns_what_another_network_says_if_that_stays(stills):
    """The loss of a run need not fall, since the teacher moves: here it does not."""
    torch.manual_seed(0)
    task = small(momentum=1.0, centre_momentum=1.0, batch=4).task(stills)
    task.network.load_state_dict(small().task(stills).network.state_dict())  # other random numbers
    optimiser = torch.optim.Adam(task.learned.parameters(), lr=5e-3)
    above = []  # the loss is never below the entropy of what the teacher says
    for step in range(80):
        terms = task(step, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        terms["total"].backward()
        optimiser.step()
        task.after(step)
        above.append(terms["total"].item() - terms["entropy_of_patch"].item())
    assert np.mean(above[-10:]) < 0.5 * np.mean(above[:10])
