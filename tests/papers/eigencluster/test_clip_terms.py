"""Q and L_eig of a model on clips: which objects and clips count, and by which formula."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.data import toy
from evis.losses import tel
from evis.losses.qcc import quality_cluster_coefficient
from evis.models import VideoMask2Former, named
from evis.papers.eigencluster import clip_terms, evidence, one_batch, recipes
from evis.papers.eigencluster.clip_terms import CLIPS, statistics


@pytest.fixture(scope="module")
def clips():
    return list(one_batch.clips_of(toy.sample("toy-ytvis19", 12, seed=5, split="valid")))


@pytest.fixture(scope="module")
def found(clips):
    torch.manual_seed(0)
    return clip_terms.predict(VideoMask2Former(named("tiny_s", classes=8)), clips)


def test_every_clip_has_a_query_for_each_object(found, clips):
    assert len(found) == len(clips) == 12
    for of in found:
        assert len(set(of.queries.tolist())) == len(of.clip.labels)
        assert of.mask_logits.shape[:1] + of.mask_logits.shape[2:3] == (1, len(of.clip.frames))


def test_clips_reach_as_far_as_those_of_stages_two_and_three(clips):
    reach = {recipes.named(f"eigencluster.stage{number}").frame_range for number in (2, 3)}
    gaps = [max(clip.frame_indices) - min(clip.frame_indices) for clip in clips]
    assert reach == {5} and max(gaps) <= 2 * 5 and max(gaps) > 5
    assert one_batch.clips().frame_range == evidence.videos().frame_range == 5


class Planted(torch.nn.Module):
    """Finds each object of a clip, without an error, by a query that was said beforehand."""

    def __init__(self, clip, queries):
        super().__init__()
        size = [side // 4 for side in clip.frames.shape[-2:]]
        masks = torch.nn.functional.interpolate(clip.masks.float(), size)  # (N, T, h, w)
        self.mask_logits = torch.full((1, 6, *masks.shape[1:]), -8.0)
        self.mask_logits[0, queries] = 16 * masks - 8
        self.class_logits, self.stride = torch.zeros(1, 6, 9), 4

    def forward(self, frames):
        return self


def test_objects_have_the_queries_that_find_them(clips):
    clip = next(clip for clip in clips if len(clip.labels) == 2 and clip.masks.any((1, 2, 3)).all())
    for planted in ([4, 1], [0, 5]):
        (found,) = clip_terms.predict(Planted(clip, planted), [clip])
        assert sorted(found.queries.tolist()) == sorted(planted)


def test_means_are_those_of_the_losses_a_clip_at_a_time(found):
    values = statistics(found)
    several = [of for of in found if len(of.clip.labels) > 1]
    assert 0 < len(several) < len(found)  # or the next line would not tell them apart
    q = [quality_cluster_coefficient(of.mask_logits, [len(of.clip.labels)]) for of in several]
    assert values["Q"] == pytest.approx(np.mean([float(one) for one in q]))
    changes = []
    for of in found:
        spectra = tel.eigenvalues(of.mask_logits[0, of.queries]).numpy()  # (N, 3, Y)
        following = np.roll(spectra, -1, axis=1)
        changes.append(np.abs(spectra - following).sum((0, 2)).mean())
    assert values["L_eig"] == pytest.approx(np.mean(changes), rel=1e-5)


def test_logits_twice_as_large_change_l_eig_alone(found):
    doubled = [replace(of, mask_logits=2 * of.mask_logits) for of in found]
    once, twice = statistics(found), statistics(doubled)
    assert twice["L_eig"] == pytest.approx(4 * once["L_eig"], rel=1e-4)
    assert twice["relative L_eig"] == pytest.approx(once["relative L_eig"], rel=1e-4)
    assert twice["Q"] == pytest.approx(once["Q"], rel=1e-4)


def test_masks_that_stand_still_have_no_change(found):
    first = [of.mask_logits[:, :, :1].expand_as(of.mask_logits) for of in found]
    still = [replace(of, mask_logits=logits) for of, logits in zip(found, first, strict=True)]
    assert statistics(still)["L_eig"] == statistics(still)["relative L_eig"] == 0


def test_a_mean_of_no_clip_is_undefined(found):
    single = statistics([of for of in found if len(of.clip.labels) == 1])
    assert math.isnan(single["Q"]) and single["L_eig"] > 0 and single["relative L_eig"] > 0
    none = statistics([])
    assert list(none) == list(clip_terms.METRICS) and all(map(math.isnan, none.values()))


def test_on_clips_a_model_is_scored_where_it_is(device):
    model = VideoMask2Former(named("tiny_s", classes=8)).to(device)
    few = replace(CLIPS, videos=4)
    values = few.score(model, progress=False)
    assert tuple(values) == few.scoring.metrics and values["L_eig"] > 0
    if torch.device(device).type != "cpu":
        there = few.score(model.cpu(), progress=False)
        assert values == pytest.approx(there, rel=1e-2, nan_ok=True)
