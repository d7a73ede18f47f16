"""Masks as parameters: the loss is the paper's own, and what is read of a clip is what it says."""

from dataclasses import replace

import pytest
import torch

from evis.companion import store
from evis.criterion.step import Step
from evis.data import paths
from evis.papers.eigencluster import free_masks
from evis.papers.eigencluster.loss import Loss


@pytest.fixture(scope="module")
def clips():
    return free_masks.clips_of(free_masks.SEARCH_UNITS[0])


def test_every_object_is_matched_with_its_own_query(clips):
    masks, settings = free_masks.Masks(clips, "free"), free_masks.BASE
    Loss(settings)(masks(), clips, Step(), torch.Generator().manual_seed(0))["total"].backward()
    for clip, model in zip(clips, masks.each, strict=True):
        assert len(model.values) == len(clip.labels)
        assert (model.values.grad.flatten(1).abs().amax(1) > 0).all()


@pytest.mark.parametrize("regime", free_masks.REGIMES)
def test_under_boxes_masks_change_nothing(clips, regime):
    """Two truths with the same boxes lead to the same masks."""
    kind, changes = free_masks.REGIMES[regime]
    filled = [replace(clip, masks=_boxes(clip.masks)) for clip in clips]
    settings = replace(free_masks.BASE, **changes)
    both = [free_masks.Masks(of, kind) for of in (clips, filled)]
    losses = [
        Loss(settings)(masks(), of, Step(), torch.Generator().manual_seed(0))["total"]
        for masks, of in zip(both, (clips, filled), strict=True)
    ]
    assert losses[0].equal(losses[1])


def _boxes(masks):
    rows, columns = masks.any(-1, keepdim=True), masks.any(-2, keepdim=True)
    between = [
        (line.cumsum(axis) > 0) & (line.flip(axis).cumsum(axis).flip(axis) > 0)
        for line, axis in ((rows, -2), (columns, -1))
    ]
    return between[0] & between[1]


@pytest.mark.slow
def test_masks_are_learned_from_masks_and_a_placebo_is_tk_times_a_number(clips):
    base = free_masks.BASE
    few = dict(kind="free", steps=12)
    start = free_masks.descend(clips, settings=base, kind="free", steps=0)
    taught = free_masks.descend(clips, settings=replace(base, supervision="mask"), **few)
    assert sum(taught.ious) > sum(start.ious) + 0.1 * len(clips)
    tk = free_masks.descend(clips, settings=replace(base, **free_masks.TERMS["TK"]), **few)
    tel = free_masks.descend(clips, settings=replace(base, **free_masks.TERMS["TEL"]), **few)
    assert tk.factor == 1 < tel.factor


def test_without_the_pairwise_term_its_weight_is_gone():
    without = replace(free_masks.BASE, pairwise="none")
    assert set(free_masks.BASE.weights) - set(without.weights) == {"pairwise"}


def test_units_are_read_back_by_regime(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    metrics = {"free: TK": 2.0, "free: boxes": 1.0, "free, no pairwise: TK": 3.0}
    store.measure(free_masks.recipe(), free_masks.DATASET, 3, lambda: metrics)
    found = free_masks.measured("free")
    assert found.to_dict("index") == {3: {"TK": 2.0, "boxes": 1.0}}
    assert free_masks.measured("colours").empty
