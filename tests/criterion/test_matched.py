"""Groups of clips of one size, and their queries matched in all layers."""

from dataclasses import replace

import pytest
import torch
from loss_cases import all_layers, clip, fix_points, prediction

from evis.criterion.matched import grouped, matched
from evis.matching import match


def test_clips_of_one_size_stay_together_and_no_copy_is_made_of_their_logits():
    predicted, clips = prediction(batch=2), [clip(1), clip(2, objects=3, seed=2)]
    (group,) = grouped(predicted, clips, "boxes", as_padded=False)
    assert group.clips == clips and group.clip_of.tolist() == [0, 0, 1, 1, 1]
    assert group.labels.tolist() == [*clips[0].labels.tolist(), *clips[1].labels.tolist()]
    for mine, given in zip(group.layers, all_layers(predicted), strict=True):
        assert mine.mask_logits.data_ptr() == given.mask_logits.data_ptr()
        assert mine.class_logits is given.class_logits


def test_clips_of_other_sizes_are_cut_to_their_own_up_to_the_stride():
    clips = [clip(1), clip(2, objects=0, height=48), clip(3, objects=4, width=78), clip(4, seed=4)]
    predicted = prediction(batch=4, height=17, width=21)
    groups = grouped(predicted, clips, "masks", as_padded=False)
    of_groups = [[each.video_id for each in group.clips] for group in groups]
    assert of_groups == [[1, 3, 4], [2]]  # a last column of two pixels is a logit's column
    assert [tuple(group.targets.shape) for group in groups] == [(8, 3, 64, 80), (0, 3, 48, 80)]
    mine = groups[0].layers[-1].mask_logits
    assert torch.equal(mine, predicted.mask_logits[[0, 2, 3], :, :, :16, :20])
    assert [tuple(group.frames.shape[-2:]) for group in groups] == [(64, 80), (48, 80)]
    (whole,) = grouped(predicted, clips, "masks", as_padded=True)
    assert whole.targets.shape == (8, 3, 68, 84) and len(whole.clips) == 4


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_every_layer_has_the_matching_of_that_layer_alone(by, monkeypatch):
    fix_points(monkeypatch)
    predicted = prediction(batch=3)
    clips = [clip(1), clip(2, objects=0), clip(3, objects=4, seed=3)]
    (group,) = grouped(predicted, clips, by, as_padded=False)
    (found,) = matched(group, 200)
    assert found.layers == [0, 1, 2] and found.objects.tolist() == list(range(6))
    assert found.clip_of.tolist() == [0, 0, 2, 2, 2, 2]
    targets = list(
        zip([each.labels for each in clips], group.targets.split([2, 0, 4]), strict=True)
    )
    for layer, queries, logits in zip(
        all_layers(predicted), found.queries, found.logits, strict=True
    ):
        pairs = match(layer.class_logits, layer.mask_logits, targets, by)
        rows = torch.cat([6 * n + q[o.argsort()] for n, (q, o) in enumerate(pairs)])
        assert torch.equal(queries.cpu(), rows)
        assert torch.equal(logits, layer.mask_logits.flatten(0, 1)[queries])


def test_layers_that_leave_out_different_objects_are_apart():
    predicted = prediction(queries=2, layers=3)
    clips = [clip(objects=5)]
    (group,) = grouped(predicted, clips, "boxes", as_padded=False)
    found = matched(group, 200)
    assert sum((each.layers for each in found), []) == [0, 1, 2, 3]
    assert all(each.queries.shape == (len(each.layers), 2) for each in found)
    assert len({tuple(each.objects.tolist()) for each in found}) > 1


def test_the_matching_of_one_seed_is_the_same_again():
    predicted, clips = prediction(batch=2, seed=5), [clip(1), clip(2, objects=4, seed=2)]
    (group,) = grouped(predicted, clips, "masks", as_padded=False)
    runs = [matched(group, 20, torch.Generator().manual_seed(seed))[0].queries for seed in (1, 1)]
    assert torch.equal(*runs)


def test_labels_beyond_the_classes_are_refused():
    wrong = replace(clip(), labels=torch.tensor([0, 5]))
    (group,) = grouped(prediction(), [wrong], "boxes", as_padded=False)
    with pytest.raises(ValueError, match=r"video 7: labels \[0, 5\] are not all below 5"):
        matched(group, 20)
