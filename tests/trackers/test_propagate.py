"""Label propagation: the reference's labels, the definition by brute force, planted motion."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evis.trackers.propagate import hard, propagate

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["labelprop_0", "labelprop_1"])
def test_soft_and_hard_labels_are_the_reference_ones(name, device):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        case = {key: torch.from_numpy(np.array(array)).to(device) for key, array in arrays.items()}
    first = F.one_hot(case["first_labels"].long(), int(case["classes"])).permute(2, 0, 1).float()
    options = {
        "last_frames": int(case["n_last_frames"]),
        "top_k": int(case["topk"]),
        "radius": int(case["radius"]),
        "temperature": float(case["temperature"]),
    }
    soft = propagate(case["features"], first, **options)
    with torch.autocast(device.type, torch.bfloat16):
        assert torch.equal(propagate(case["features"], first, **options), soft)
    torch.testing.assert_close(soft, case["soft_labels"], rtol=0, atol=1e-5)
    expected = case["labels_full_size"].long()
    assert torch.equal(hard(soft, int(case["patch_size"])), expected)


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_every_patch_takes_from_the_best_of_all_frames_looked_at(radius):
    torch.manual_seed(0)
    features, first = torch.randn(4, 3, 4, 5), torch.rand(2, 3, 4)
    found = propagate(features, first, last_frames=2, top_k=3, radius=radius, temperature=0.3)
    labels, unit = [first, *found], F.normalize(features, dim=-1)
    for t, context in ((1, [0]), (2, [0, 1]), (3, [0, 1, 2])):
        for y in range(3):
            for x in range(4):
                votes = []
                for s in context:
                    for v in range(3):
                        for u in range(4):
                            if radius == 0 or max(abs(v - y), abs(u - x)) <= radius:
                                weight = (unit[t, y, x] @ unit[s, v, u] / 0.3).exp()
                                votes.append((weight, labels[s][:, v, u]))
                votes = sorted(votes, key=lambda vote: vote[0], reverse=True)[:3]
                expected = sum(w * label for w, label in votes) / sum(w for w, _ in votes)
                torch.testing.assert_close(found[t - 1, :, y, x], expected)


def test_a_moving_patch_is_followed_within_the_radius_only():
    torch.manual_seed(0)
    background, thing = torch.eye(8)[0], torch.eye(8)[1]
    features = background.repeat(6, 5, 12, 1)
    for t in range(6):
        features[t, 2, 2 * t] = thing
    first = torch.zeros(2, 5, 12)
    first[1, 2, 0] = 1
    first[0] = 1 - first[1]
    near = propagate(features, first, last_frames=1, top_k=1, radius=2)
    assert [near[t - 1, 1, 2, 2 * t].item() for t in range(1, 6)] == [1.0] * 5
    far = propagate(features, first, last_frames=1, top_k=1, radius=1)
    assert far[:, 1].sum() == 0


def test_ties_stay_and_share():
    features = torch.ones(2, 1, 4, 3)
    first = torch.tensor([[[1.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 1.0, 1.0]]])
    found = propagate(features, first, top_k=1, radius=0)
    torch.testing.assert_close(found[0], torch.tensor([0.25, 0.75])[:, None, None].expand(2, 1, 4))


def test_a_low_temperature_leaves_the_best_and_no_overflow():
    torch.manual_seed(0)
    features, first = torch.randn(3, 4, 4, 6), torch.rand(3, 4, 4)
    found = propagate(features, first, radius=0, temperature=1e-4)
    torch.testing.assert_close(found, propagate(features, first, radius=0, top_k=1))


def test_hard_labels_stretch_each_label_of_a_frame():
    soft = torch.tensor([[[[0.9, 0.7]], [[0.1, 0.3]], [[0.0, 0.0]]]])
    assert hard(soft, 1).tolist() == [[[0, 1]]]  # 1, 0 against 0, 1 after stretching
    assert hard(soft, 4).shape == (1, 4, 8)


def test_empty_input_gives_an_empty_result_and_bad_input_is_refused():
    features, first = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 4)
    assert propagate(features[:1], first).shape == (0, 2, 3, 4)
    assert hard(propagate(features[:1], first), 8).shape == (0, 24, 32)
    assert propagate(features, first[:0]).shape == (1, 0, 3, 4)
    with pytest.raises(ValueError, match="features should be"):
        propagate(features, first[:, :2])
    for wrong in ({"top_k": 0}, {"radius": -1}, {"last_frames": -1}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match="at least"):
            propagate(features, first, **wrong)


def test_nan_is_refused():
    features, first = torch.rand(3, 4, 5, 6), torch.rand(2, 4, 5)
    for changes in ({"features": features * torch.nan}, {"first": first * torch.inf}):
        with pytest.raises(ValueError, match="features and first should be finite"):
            propagate(**{"features": features, "first": first} | changes)
    with pytest.raises(ValueError, match="temperature above 0"):
        propagate(features, first, temperature=float("nan"))
