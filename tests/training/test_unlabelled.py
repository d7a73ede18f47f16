"""From nothing to self-trained labels: what people annotated is not in it, bit by bit."""

from dataclasses import dataclass, replace

import pytest
import torch

from evis import papers
from evis.criterion.mask_loss import MaskLoss
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.foundation import toy_clip
from evis.inference import Options, predict_dataset
from evis.labels import naming
from evis.labels.self_training import next_labels
from evis.labels.videos import Cuts, make
from evis.papers.eigencluster import method
from evis.training import Recipe, train


@dataclass(frozen=True, kw_only=True)
class Unlabelled(Recipe):
    @property
    def supervision(self):
        return "none"


RECIPE = Unlabelled(
    name="cutler",
    title="frame by frame on made masks",
    source="this test",
    mixture=(("videos", 1.0),),
    steps=3,
    batch=2,
    learning_rate=1e-3,
    frames=1,
    copy_paste=(0.3, 1.0),
    shorter_sides=(32,),
    model="tiny_s",
    clip_norm=1.0,
)


class Method:
    build = staticmethod(method.build)

    @staticmethod
    def loss(recipe):
        return MaskLoss(points=100, drop_iou=0.01)


def _trained(dataset, folder, recipe=RECIPE):
    datasets = {"videos": dataset}
    return train(recipe, datasets, folder, Method, device="cpu", threads=1, progress=False)


def _pipeline(dataset, folder):
    """MaskCut's masks, a model trained on them, and the labels of the next round."""
    labels = make(weaken(dataset, "none"), Cuts(outlined=False), progress=False)
    model = _trained(labels, folder)
    options = Options(window=1, top=5, class_agnostic=True)
    found = predict_dataset(model, labels, options, progress=False)
    scores = sorted(track.score for track in found)
    return labels, model, next_labels(labels, found, scores[len(scores) // 2])


@pytest.mark.slow
def test_noise_in_place_of_true_masks_changes_no_bit(small, tmp_path):
    runs = [
        _pipeline(small.dataset(noise_masks=noise), tmp_path / str(noise))
        for noise in (False, True)
    ]
    (labels, model, following), (their_labels, their_model, their_following) = runs
    assert labels.tracks and labels.tracks == their_labels.tracks
    weights, theirs = model.state_dict(), their_model.state_dict()
    assert all(torch.equal(weights[name], theirs[name]) for name in weights)
    assert following.tracks == their_following.tracks and following.supervision == "none"
    assert following.tracks != labels.tracks and "MaskCut" in following.origin


def _uvis(dataset, folder):
    """MaskCut's masks under toy_clip's names, what its filters leave, and a model of UVIS's."""
    bare = weaken(dataset, "none")
    cut = make(bare, Cuts(outlined=False), progress=False)
    found = [PredictedTrack(track.video_id, 1, 1.0, track.masks) for track in cut.tracks]
    named = naming.named(bare, found, toy_clip.load(), progress=False)
    labels = naming.label(bare, found, named, "this test", naming.Least(None, 0.25, 0.9))
    recipe = replace(papers.named("uvis", toy=True), init=None, model="tiny_s", steps=2)
    recipe = replace(recipe, batch=2, micro_batch=1, shorter_sides=(32,))
    datasets = {"videos": labels}
    model = train(recipe, datasets, folder, papers, device="cpu", threads=1, progress=False)
    return named, labels, model


@pytest.mark.slow
def test_noise_changes_no_bit_of_names_filters_and_what_uvis_learns_from_them(small, tmp_path):
    (named, labels, model), (their_named, their_labels, their_model) = (
        _uvis(small.dataset(noise_masks=noise), tmp_path / str(noise)) for noise in (False, True)
    )
    kept = sum(mask is not None for track in labels.tracks for mask in track.masks)
    assert 0 < kept < len(named.frames)  # the filters have something to do
    assert len({track.category_id for track in labels.tracks}) == 2
    for own, theirs in zip(vars(named).values(), vars(their_named).values(), strict=True):
        assert (own == theirs).all()
    assert labels.tracks == their_labels.tracks and labels.supervision == "none"
    weights, theirs = model.state_dict(), their_model.state_dict()
    assert all(torch.equal(weights[name], theirs[name]) for name in weights)


def test_annotated_masks_are_taken_off_before_anything_is_pasted(small, tmp_path):
    with pytest.raises(DataError, match="this set has no labels"):
        _trained(small.dataset(frames=1), tmp_path)
