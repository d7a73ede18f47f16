"""The contrastive loss by hand, captions that tell what is there, a few steps of it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.foundation.toy_clip import SIDE, TEMPLATES, UNKNOWN, words
from evis.training import stand_ins
from evis.training.stand_ins import captions, contrastive

RED, GREEN = (220, 40, 30), (60, 170, 70)


def block(rows=slice(8, 24), columns=slice(20, 40), size=(32, 48)):
    picture = np.full((*size, 3), GREEN, np.uint8)
    picture[rows, columns] = RED
    return picture


def small(**changes):
    few = {"steps": 6, "batch": 4, "size": (32, 48), "width": 4, "channels": 8, "warm_up_steps": 1}
    return replace(stand_ins.named("toy_clip"), **few | changes)


@pytest.fixture
def task(stills):
    torch.manual_seed(0)
    return small().task(stills)


def test_the_loss_by_hand():
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, 3, 4, generator=generator)
    cosines = [
        [float(a @ b / a.norm() / b.norm()) for b in texts] for a in images
    ]  # (pictures, captions)
    by_rows = [-math.log(math.exp(5 * c[i]) / sum(math.exp(5 * x) for x in c)) for i, c in
               enumerate(cosines)]  # fmt: skip
    columns = list(zip(*cosines, strict=True))
    by_columns = [-math.log(math.exp(5 * c[i]) / sum(math.exp(5 * x) for x in c)) for i, c in
                  enumerate(columns)]  # fmt: skip
    loss, right = contrastive.contrast(images, texts, torch.tensor(5.0))
    assert loss.item() == pytest.approx((np.mean(by_rows) + np.mean(by_columns)) / 2, rel=1e-5)
    assert right.item() == pytest.approx(np.mean([max(c) == c[i] for i, c in enumerate(cosines)]))


@pytest.mark.parametrize(
    "rgb, name",
    [
        (RED, "red"), ((250, 150, 20), "orange"), ((240, 230, 40), "yellow"), (GREEN, "green"),
        ((30, 210, 220), "cyan"), ((30, 60, 230), "blue"), ((140, 30, 220), "purple"),
        ((250, 60, 160), "pink"), ((250, 20, 40), "red"), ((20, 20, 22), "black"),
        ((128, 128, 126), "grey"), ((255, 255, 255), "white"),
    ],
)  # fmt: skip
def test_colours_have_the_names_that_people_give_them(rgb, name):
    assert captions.colour_word(np.array([rgb], np.uint8)) == name


def test_what_is_seen_of_a_picture_is_the_whole_and_its_parts():
    (whole, part, *_), flat = captions.look([block(), np.full((32, 48, 3), 90, np.uint8)])
    assert whole.box == (0, 0, 48, 32) and not whole.colour
    assert (part.colour, part.ground, part.size) == ("red", "green", "big")
    x, y, w, h = part.box
    assert abs(x - 20) <= 4 and abs(y - 8) <= 4 and abs(w - 20) <= 6 and abs(h - 16) <= 6
    assert flat[0].box == whole.box and {seen.ground for seen in flat} == {"grey"}


def test_captions_tell_of_a_part_one_class_and_of_a_picture_all():
    rng, called = np.random.default_rng(0), {"disc": ("disc", "circle")}
    part = captions.Seen((0, 0, 9, 9), "red", "small", "green")
    whole = captions.Seen((0, 0, 9, 9), "", "", "green")
    of_part = [captions.caption(rng, part, ("disc", "ring"), called) for _ in range(300)]
    of_whole = [captions.caption(rng, whole, ("disc", "ring"), called) for _ in range(300)]
    known = captions.vocabulary(["disc", "ring"], called)
    assert all(set(words(text)) <= set(known) for text in of_part + of_whole)
    for text in of_part:
        assert sum(name in words(text) for name in ("disc", "circle", "ring")) == 1
    for text in of_whole:
        assert "ring" in text and ("disc" in text) != ("circle" in text)
    for word in ("disc", "circle", "ring", "red", "small", "green"):
        assert 0.1 < np.mean([word in text for text in of_part]) < 0.9
    assert len(set(of_part)) > 200 and "thing" in captions.caption(rng, part, (), called)
    assert all(any(text.startswith(t.partition("{}")[0]) for t in TEMPLATES) for text in of_part)


def test_a_batch_is_crops_and_their_captions(task):
    shown, sentences = task.draw(np.random.default_rng(0))
    assert shown.shape == (4, SIDE, SIDE, 3) and shown.dtype == np.uint8
    assert len(sentences) == 4 and all(isinstance(text, str) for text in sentences)
    again = task.draw(np.random.default_rng(0))
    assert np.array_equal(again[0], shown) and again[1] == sentences


def test_words_may_be_forgotten_and_fillings_never(stills):
    read = []
    for forget in (0.0, 1.0):
        torch.manual_seed(0)
        task = small(forget=forget).task(stills)
        task.network.texts = lambda numbers: (read.append(numbers), torch.ones(4, 8))[1]
        task(0, torch.Generator().manual_seed(0))
    plain, forgotten = read
    assert (plain > UNKNOWN).any() and not (plain == UNKNOWN).any()
    assert torch.equal(forgotten, plain.clamp(max=UNKNOWN))


def test_the_scale_has_a_limit(task):
    task.network.logit_scale.data.fill_(9.0)
    task.after(0)
    assert task.network.logit_scale.exp().item() == pytest.approx(100)


def test_class_words_are_all_that_is_looked_at(stills):
    """Without any box or mask the same numbers come out; with other classes others."""
    stripped = [replace(track, boxes=None, masks=None, areas=None) for track in stills.tracks]
    other = [replace(track, category_id=3) for track in stripped]
    totals = []
    for tracks in (stills.tracks, stripped, other):
        torch.manual_seed(0)
        task = small().task(replace(stills, tracks=tuple(tracks)))
        totals.append(task(0, torch.Generator().manual_seed(0))["total"].item())
    assert totals[0] == totals[1] != totals[2]
    assert captions.class_words(stills) == [("blue", "red")] * 4
