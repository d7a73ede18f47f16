"""MinVIS linking: the reference's outputs, every assignment by brute force, planted tracks."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evis.data import DataError
from evis.trackers import memory, minvis

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["minvis_0", "minvis_1"])
def test_reordered_masks_and_mean_logits_are_the_reference_ones(name, device):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        golden = {key: torch.from_numpy(array[0]).to(device) for key, array in arrays.items()}
    links = minvis.link(golden["in_pred_embds"].permute(1, 2, 0))
    class_logits, mask_logits = minvis.tracks(
        links, golden["in_pred_logits"], golden["in_pred_masks"].transpose(0, 1)
    )
    assert torch.equal(mask_logits, golden["out_pred_masks"])
    torch.testing.assert_close(class_logits, golden["out_pred_logits"], rtol=0, atol=1e-6)


def test_each_frame_is_paired_with_the_reordered_frame_before_at_the_best_sum():
    torch.manual_seed(0)
    embeddings = torch.randn(5, 5, 3) * torch.rand(5, 5, 1)  # lengths that cosine must not see
    links = minvis.link(embeddings)
    unit = F.normalize(embeddings, dim=-1)
    before = unit[0]
    for t in range(1, 5):
        best = max(permutations(range(5)), key=lambda p: (before * unit[t, list(p)]).sum().item())
        assert links[t].tolist() == list(best)
        before = unit[t, links[t]]


def test_planted_tracks_that_drift_are_followed_though_the_last_is_unlike_the_first(device):
    torch.manual_seed(0)
    start, end = torch.eye(6), torch.eye(6).roll(1, 0)  # each track ends where another started
    steps = torch.linspace(0, 1, 15)[:, None, None]
    tracks = (1 - steps) * start + steps * end  # (T, Q, C)
    shuffles = torch.stack([torch.arange(6), *(torch.randperm(6) for _ in range(14))])
    shuffled = torch.stack([frame[order] for frame, order in zip(tracks, shuffles, strict=True)])
    tracks, shuffled = tracks.to(device), shuffled.to(device)
    links = minvis.link(shuffled)
    assert links.dtype == torch.long and links.device == shuffled.device
    torch.testing.assert_close(minvis.follow(links, shuffled), tracks)


def test_cosines_are_those_of_float32_in_low_precision_and_under_autocast(device):
    torch.manual_seed(0)
    for _ in range(30):
        embeddings = torch.randn(5, 20, 32, device=device).bfloat16()
        wide = embeddings.float()
        links = [linked_by(wide) for linked_by in (minvis.link, memory.link)]
        assert torch.equal(minvis.link(embeddings), links[0])
        with torch.autocast(device.type, torch.bfloat16):
            assert torch.equal(minvis.link(wide), links[0])
            assert torch.equal(memory.link(wide), links[1])


def test_one_frame_keeps_its_order_and_bad_shapes_are_refused():
    assert minvis.link(torch.randn(1, 4, 8)).tolist() == [[0, 1, 2, 3]]
    with pytest.raises(ValueError, match="frames, queries, channels"):
        minvis.link(torch.randn(4, 8))


@pytest.mark.parametrize("link", [minvis.link, memory.link])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_embeddings_that_are_not_finite_are_refused_by_their_frame(link, value):
    embeddings = torch.ones(4, 2, 3)
    embeddings[2, 1, 0] = value
    with pytest.raises(DataError, match="frame 2: embeddings hold NaN or infinity. Look for"):
        link(embeddings)
