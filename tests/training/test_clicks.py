"""Training at clicks alone: what masks there are beside the clicks is not in it, bit by bit."""

from dataclasses import replace

import pytest
import torch

from evis import papers
from evis.data.errors import DataError
from evis.data.supervision import P1N1, weaken
from evis.inference import Options, predict_dataset
from evis.training import changed, train

SMALL = {"model": "tiny_s", "steps": 3, "batch": 2, "micro_batch": 2, "init": None}


def trained(name, dataset, folder):
    recipe = changed(papers.named(name, toy=True), SMALL | {"shorter_sides": (32,)})
    method = papers.method_of(recipe)
    return train(
        recipe, {"videos": dataset}, folder, method, device="cpu", threads=1, progress=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pointvis.visp", "pointvis.visp_cineg"])
def test_noise_in_place_of_masks_changes_no_bit(name, small, tmp_path):
    truth, noise = small.dataset(), small.dataset(noise_masks=True)
    clicked = weaken(truth, "point", P1N1)
    outcomes = []
    for number, given in enumerate((truth, noise)):
        tracks = [
            replace(track, masks=beside.masks, boxes=beside.boxes)  # as a file may hold them
            for track, beside in zip(clicked.tracks, given.tracks, strict=True)
        ]
        folder = tmp_path / str(number)
        model = trained(name, replace(clicked, tracks=tuple(tracks)), folder)
        found = predict_dataset(model, truth.bare(), Options(window=1), progress=False)
        outcomes.append((model.state_dict(), [(p.score, tuple(p.masks)) for p in found]))
    (weights, found), (theirs, also_found) = outcomes
    assert all(torch.equal(weights[key], theirs[key]) for key in weights)
    assert found == also_found
    other = trained(name, weaken(truth, "point", P1N1, seed=1), tmp_path / "other")
    assert not all(torch.equal(weights[key], x) for key, x in other.state_dict().items())


def test_masks_that_were_made_are_no_clicks(small, tmp_path):
    made = replace(small.dataset(), supervision="point", origin="proposals by clicks")
    with pytest.raises(DataError, match=r"carries no points.*weaken"):
        trained("pointvis.visp", made, tmp_path)
