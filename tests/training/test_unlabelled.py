"""From nothing to self-trained labels: what people annotated is not in it, bit by bit."""

from dataclasses import dataclass

import pytest
import torch

from evis.criterion.mask_loss import MaskLoss
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.inference import Options, predict_dataset
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


def test_annotated_masks_are_taken_off_before_anything_is_pasted(small, tmp_path):
    with pytest.raises(DataError, match="this set has no labels"):
        _trained(small.dataset(frames=1), tmp_path)
