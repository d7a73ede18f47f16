"""QCC against the golden numbers, scikit-learn, brute force, and what the formulas imply."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import davies_bouldin_score

from evis.losses import qcc
from evis.losses.qcc import davies_bouldin, feature_points, kmeans, quality_cluster_coefficient

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(number: int) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / f"qcc_{number}.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def blobs(seed: int, clusters: int, n: int = 90, width: int = 4, apart: float = 3.0):
    """(n, width) points around `clusters` centres, every centre used."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(clusters, width)) * apart
    return centres[np.arange(n) % clusters] + random.normal(size=(n, width))


def clips(*clouds: np.ndarray) -> torch.Tensor:
    """Clouds (n, C) as one-row, one-frame features (B, C, 1, 1, n) for scale=1."""
    return torch.stack([torch.from_numpy(cloud).T for cloud in clouds])[:, :, None, None]


@pytest.mark.parametrize("number", [0, 1])
def test_released_q_is_the_golden_one(number):
    case = golden(number)
    q = quality_cluster_coefficient(case["features"], case["k"], flavour="released")
    torch.testing.assert_close(q, case["q"], rtol=1e-6, atol=0)
    assert q.dtype == torch.float32 and q.shape == ()


@pytest.mark.parametrize("number", [0, 1])
def test_the_golden_labels_have_the_golden_score(number):
    case = golden(number)
    scores = davies_bouldin(feature_points(case["features"]), case["labels"])
    torch.testing.assert_close(scores, case["davies_bouldin"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("number", [0, 1])
def test_kmeans_is_no_worse_than_the_golden_one(number):
    case = golden(number)
    _, inertia = kmeans(feature_points(case["features"]), case["k"].tolist())
    assert (inertia <= 1.0001 * case["inertia"]).all()


def test_paper_q_is_that_of_the_better_clustering():
    case = golden(0)
    points = feature_points(case["features"])
    scores = [
        davies_bouldin_score(
            cloud, KMeans(k, n_init=100, random_state=1, tol=0).fit_predict(cloud.astype(float))
        )
        for cloud, k in zip(points.numpy(), case["k"].tolist(), strict=True)
    ]
    q = quality_cluster_coefficient(case["features"], case["k"])
    assert float(q) == pytest.approx(1 + np.mean(scores), rel=1e-5)


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(1, 5))
@settings(max_examples=30)
def test_the_score_equals_scikit_learns_for_any_labels(seed, clusters, width):
    random = np.random.default_rng(seed)
    points = 10.0 ** random.integers(-3, 5) * random.normal(size=(2, 40, width))
    labels = random.integers(0, clusters, size=(2, 40)) * 2  # every second label has no point
    expected = [davies_bouldin_score(*pair) for pair in zip(points, labels, strict=True)]
    found = davies_bouldin(torch.from_numpy(points), torch.from_numpy(labels))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def naive_score(points: np.ndarray, labels: np.ndarray) -> float:
    """Eq. 2, a cluster at a time."""
    groups = [points[labels == label] for label in np.unique(labels)]
    centroids = [group.mean(0) for group in groups]
    spread = [
        np.mean([np.linalg.norm(f - centroid) for f in group])
        for group, centroid in zip(groups, centroids, strict=True)
    ]
    total = 0
    for i in range(len(groups)):
        total += max(
            (spread[i] + spread[j]) / np.linalg.norm(centroids[i] - centroids[j])
            for j in range(len(groups))
            if j != i
        )
    return total / len(groups)


def test_the_score_is_equation_2():
    points = blobs(0, 3)
    labels = np.arange(90) % 3
    found = davies_bouldin(torch.from_numpy(points)[None], torch.from_numpy(labels)[None])
    assert float(found) == pytest.approx(naive_score(points, labels), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_finds_the_best_partition_of_few_points(seed):
    points = np.random.default_rng(seed).normal(size=(8, 2))

    def inertia(labels):
        groups = [points[np.array(labels) == label] for label in set(labels)]
        return sum(((group - group.mean(0)) ** 2).sum() for group in groups)

    best = min(inertia(labels) for labels in product(range(3), repeat=8))
    labels, found = kmeans(torch.from_numpy(points)[None], [3])
    assert float(found) == pytest.approx(best, rel=1e-9)
    assert inertia(labels[0].tolist()) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_kmeans_is_no_worse_than_scikit_learns_by_a_percent(seed):
    clusters = 2 + 2 * seed
    points = blobs(seed, clusters, n=300, width=6, apart=1 + seed % 3).astype(np.float32)
    reference = KMeans(clusters, random_state=0, n_init=1).fit(points)
    _, found = kmeans(torch.from_numpy(points)[None], [clusters])
    assert float(found) <= 1.01 * reference.inertia_


def test_kmeans_ends_where_no_point_wants_to_move():
    points = torch.from_numpy(blobs(3, 9, n=1500, apart=0.3))
    labels = kmeans(points[None], [9])[0][0]
    centroids = torch.stack([points[labels == k].mean(0) for k in range(9)])
    assert torch.equal(torch.cdist(points, centroids).argmin(-1), labels)


def test_a_cluster_that_loses_its_points_starts_again():
    points = torch.tensor([[50.0], [50.1], [51.0], [51.1], [59.0]], dtype=torch.float64)[None]
    centres = torch.tensor([50.5, 150.0, 250.0], dtype=torch.float64).view(1, 1, 3, 1)
    exists = torch.ones(1, 1, 3, dtype=torch.bool)
    members, _, inertia = qcc._lloyd(points, centres, exists, steps=50)
    assert sorted(members[0, 0].sum(-1).tolist()) == [1, 2, 2]
    assert float(inertia) == pytest.approx(0.01)  # 50 and 50.1, 51 and 51.1, 59


def test_no_centre_is_put_where_a_centre_is():
    points = torch.tensor([3.0, 1.0, 3.0, 1.0, 2.0], dtype=torch.float64).view(1, 5, 1)
    centres, exists = qcc._seeds(points, [5], seed=0, restarts=4)
    assert exists.sum(-1).tolist() == [[3, 3, 3, 3]]
    for start in range(4):
        assert sorted(centres[0, start, exists[0, start], 0].tolist()) == [1, 2, 3]


def test_a_clip_does_not_depend_on_the_rest_of_its_batch():
    clouds = torch.from_numpy(np.stack([blobs(1, 2, apart=1), blobs(2, 6, apart=1)]))
    labels, inertia = kmeans(clouds, [2, 6])
    for b, clusters in enumerate([2, 6]):
        alone, inertia_alone = kmeans(clouds[b : b + 1], [clusters])
        assert torch.equal(alone[0], labels[b])
        torch.testing.assert_close(inertia_alone[0], inertia[b])


def test_the_same_seed_gives_the_same_result_and_leaves_the_global_one_alone():
    points = torch.from_numpy(blobs(0, 9, n=400, apart=0.1))[None]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = kmeans(points, [9], seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    again = kmeans(points, [9], seed=3)
    other = kmeans(points, [9], seed=4)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-1000, 1000))
@settings(max_examples=15)
def test_q_ignores_scale_shift_rotation_and_order(seed, factor, shift):
    random = np.random.default_rng(seed)
    cloud = blobs(seed, 3, apart=4.0)
    rotation, _ = np.linalg.qr(random.normal(size=(4, 4)))
    moved = factor * random.permutation(cloud) @ rotation + shift
    q, q_moved = (quality_cluster_coefficient(clips(each), [3], scale=1) for each in (cloud, moved))
    torch.testing.assert_close(q, q_moved, rtol=1e-5, atol=0)
    assert q >= 1


def test_q_is_the_mean_over_clips_and_one_instance_counts_as_perfect():
    features = clips(blobs(0, 3), blobs(1, 2), blobs(2, 2), blobs(3, 2))
    alone = [quality_cluster_coefficient(features[b : b + 1], [k], 1) for b, k in ((0, 3), (1, 2))]
    for flavour in ("paper", "released"):
        q = quality_cluster_coefficient(features, torch.tensor([3, 2, 1, 0]), 1, flavour)
        assert float(q) == pytest.approx((sum(map(float, alone)) + 2) / 4, rel=1e-6)


@pytest.mark.parametrize("flavour", ["paper", "released", "soft"])
def test_one_instance_gives_one(flavour):
    features = torch.randn(2, 3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert quality_cluster_coefficient(features, [1, 0], flavour=flavour) == 1


@pytest.mark.parametrize("flavour", ["paper", "released", "soft"])
@pytest.mark.parametrize("clusters", [2, 3, 7, 50])
def test_no_spread_is_perfect(flavour, clusters):
    """Identical points, as many clusters as distinct points, more, and more than points."""
    identical = torch.full((1, 3, 2, 8, 8), 0.1, requires_grad=True)
    three_values = torch.tensor([0.1, 0.1, 0.7, 0.7, 1e4, 1e4]).view(1, 1, 1, 1, 6)
    q = quality_cluster_coefficient(identical, [clusters], flavour=flavour)
    assert q == 1
    if flavour == "soft":
        q.backward()
        assert (identical.grad == 0).all()
    if clusters > 2:
        q = quality_cluster_coefficient(three_values, [clusters], 1, flavour, temperature=1e-12)
        assert q == 1


def test_centroids_that_coincide_are_no_pair():
    """Two rings around one centre, and a third cluster far away, as scikit-learn scores them."""
    rings = [[1, 0], [-1, 0], [0, 2], [0, -2]]
    points = torch.tensor([*rings, [10, 0], [12, 0]], dtype=torch.float64)[None]
    labels = torch.tensor([[0, 0, 1, 1, 2, 2]])
    expected = davies_bouldin_score(points[0], labels[0])
    assert float(davies_bouldin(points, labels)) == pytest.approx(expected, rel=1e-12)
    for almost in (0, 1e-9):
        doubles = points[:, :4] + almost * labels[:, :4, None]
        assert davies_bouldin_score(doubles[0], labels[0, :4]) == 0
        assert davies_bouldin(doubles, labels[:, :4]) == 0


@pytest.mark.parametrize(("size", "score"), [(1e-9, 0), (1e-7, 0.5)])
def test_less_spread_than_scikit_learn_sees_is_none(size, score):
    points = size * torch.tensor([[-10.0], [-12.0], [10.0], [12.0]], dtype=torch.float64)[None]
    points = torch.cat((points, 5 * points), 1)
    labels = torch.tensor([[0, 0, 1, 1, 2, 2, 3, 3]])
    assert (davies_bouldin_score(points[0], labels[0]) > 0) == (score > 0)
    torch.testing.assert_close(
        float(davies_bouldin(points, labels)), davies_bouldin_score(points[0], labels[0])
    )


@pytest.mark.parametrize("flavour", ["paper", "released", "soft"])
@pytest.mark.parametrize(
    ("size", "precision"),
    [(1e10, torch.float), (1e19, torch.float), (1e38, torch.float), (1e200, torch.double)],
)
def test_q_ignores_any_scale(flavour, size, precision):
    random = torch.Generator().manual_seed(0)
    features = torch.rand(2, 5, 3, 16, 16, generator=random).to(precision)
    q, of_larger = (
        quality_cluster_coefficient(values, [3, 2], flavour=flavour)
        for values in (features, features * size)
    )
    assert q > 1.5
    torch.testing.assert_close(of_larger, q, rtol=1e-6, atol=0)


@pytest.mark.parametrize("flavour", ["paper", "released", "soft"])
@pytest.mark.parametrize("size", [1e-30, 1e4, 1e30])
@pytest.mark.filterwarnings("ignore")  # scikit-learn computes in float32
def test_huge_and_tiny_logits_stay_finite(flavour, size):
    random = torch.Generator().manual_seed(0)
    features = size * torch.randn(1, 5, 3, 16, 16, generator=random)
    features.requires_grad_()
    q = quality_cluster_coefficient(features, [3], flavour=flavour)
    assert q.isfinite() and q >= 1
    if flavour == "soft":
        q.backward()
        assert features.grad.isfinite().all()


@pytest.mark.parametrize("flavour", ["paper", "released"])
def test_q_carries_no_gradient(flavour):
    features = golden(0)["features"].requires_grad_()
    assert not quality_cluster_coefficient(features, [3, 2], flavour=flavour).requires_grad


def naive_soft_score(points, centroids, unit: float, temperature: float) -> float:
    """The soft score of one clip, a cluster at a time; `centroids` and `unit` stay as they are."""
    squared = ((points[:, None] - centroids) ** 2).sum(-1)
    weights = np.exp(-squared / (temperature * unit))
    weights /= weights.sum(1, keepdims=True)
    means = [np.average(points, axis=0, weights=w) for w in weights.T]
    spread = [
        np.average(np.linalg.norm(points - mean, axis=1), weights=w)
        for mean, w in zip(means, weights.T, strict=True)
    ]
    k = range(len(means))
    return np.mean(
        [
            max((spread[i] + spread[j]) / np.linalg.norm(means[i] - means[j]) for j in k if j != i)
            for i in k
        ]
    )


def test_soft_value_and_gradient_are_those_of_a_naive_one_by_finite_differences():
    clouds, counts, temperature = [blobs(0, 3, 12, apart=2.0), blobs(1, 2, 12)], [3, 2], 0.3
    features = clips(*clouds).requires_grad_()
    q = quality_cluster_coefficient(features, counts, 1, "soft", temperature=temperature)
    (gradient,) = torch.autograd.grad(q, features)
    labels, _ = kmeans(torch.from_numpy(np.stack(clouds)), counts)
    naive = 0
    for b, (cloud, count) in enumerate(zip(clouds, counts, strict=True)):
        centroids = np.stack([cloud[labels[b] == k].mean(0) for k in range(count)])
        fixed = centroids, ((cloud - cloud.mean(0)) ** 2).sum(1).mean(), temperature
        naive += naive_soft_score(cloud, *fixed) / 2
        for i, c in product(range(12), range(4)):
            step = np.zeros_like(cloud)
            step[i, c] = 1e-5
            rise = naive_soft_score(cloud + step, *fixed) - naive_soft_score(cloud - step, *fixed)
            found = float(gradient[b, c, 0, 0, i])
            assert found == pytest.approx(rise / 2e-5 / 2, rel=1e-6, abs=1e-9)
    assert q.item() == pytest.approx(1 + naive, rel=1e-12)


def test_the_score_passes_gradcheck():
    points = torch.from_numpy(np.stack([blobs(0, 3, 12), blobs(1, 2, 12)])).requires_grad_()
    random = torch.Generator().manual_seed(0)
    members = torch.rand(2, 12, 3, dtype=torch.float64, generator=random).requires_grad_()
    assert torch.autograd.gradcheck(qcc._score, (points, members))


def test_soft_tends_to_paper_as_the_temperature_falls():
    features, clusters = golden(0)["features"].double(), golden(0)["k"]
    hard = float(quality_cluster_coefficient(features, clusters))
    gaps = [
        abs(
            float(quality_cluster_coefficient(features, clusters, flavour="soft", temperature=t))
            - hard
        )
        for t in (1, 0.1, 1e-3, 1e-6)
    ]
    assert gaps[0] > 0.5 and gaps[1] > 1e-3 and gaps[2] < 1e-6 and gaps[3] < 1e-9


def test_descent_on_soft_q_lowers_the_papers_q():
    features = clips(blobs(0, 3, apart=1.0)).requires_grad_()
    before = quality_cluster_coefficient(features, [3], scale=1)
    for _ in range(20):
        q = quality_cluster_coefficient(features, [3], 1, "soft")
        (gradient,) = torch.autograd.grad(q, features)
        features = (features - 5 * gradient).detach().requires_grad_()
    assert quality_cluster_coefficient(features, [3], scale=1) < before - 0.1


@pytest.mark.parametrize("flavour", ["paper", "released", "soft"])
def test_half_precision_and_autocast_compute_in_float32(flavour):
    features = golden(0)["features"].bfloat16()
    expected = quality_cluster_coefficient(features.float(), [3, 2], flavour=flavour)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q = quality_cluster_coefficient(features, [3, 2], flavour=flavour)
    assert q.dtype == torch.float32
    torch.testing.assert_close(q, expected, rtol=1e-6, atol=0)
    assert quality_cluster_coefficient(features.double(), [3, 2]).dtype == torch.float64


def test_points_are_resized_frames_in_order():
    features = torch.arange(2 * 3 * 2 * 8 * 12, dtype=torch.float32).view(2, 3, 2, 8, 12)
    points = feature_points(features)
    assert points.shape == (2, 2 * 2 * 3, 3)
    middle = features[1, :, 1, 5:7, 9:11].mean((-1, -2))  # the last quarter-size pixel of frame 1
    torch.testing.assert_close(points[1, -1], middle)
    assert torch.equal(feature_points(features, 1)[0, 12 + 3], features[0, :, 0, 1, 3])


@pytest.mark.parametrize("flavour", ["paper", "released", "soft"])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_and_infinity_are_refused(flavour, bad):
    features = torch.zeros(1, 2, 2, 8, 8)
    features[0, 1, 0, 3:5, 3:5] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        quality_cluster_coefficient(features, [2], flavour=flavour)


@pytest.mark.parametrize(
    ("shape", "clusters", "options", "message"),
    [
        ((2, 2, 8, 8), [2, 2], {}, "features should be"),
        ((1, 2, 2, 8, 8), [2, 2], {}, r"a clip, 0 or more, got \[2, 2\]"),
        ((0, 2, 2, 8, 8), [], {}, "none may be 0"),
        ((1, 2, 0, 8, 8), [2], {}, "none may be 0"),
        ((1, 2, 2, 8, 3), [2], {}, "can't be resized by 1/4"),
        ((1, 2, 2, 8, 8), [2], {"scale": 0}, "scale should be a whole number from 1 on, is 0"),
        ((1, 2, 2, 8, 8), [-1], {}, r"0 or more, got \[-1\]"),
        (
            (1, 2, 2, 8, 8),
            [2],
            {"flavour": "hard"},
            "flavour should be one of paper",
        ),
        ((1, 2, 2, 8, 8), [2], {"flavour": "soft", "temperature": 0}, "temperature"),
        ((1, 2, 2, 8, 8), [2], {"temperature": float("nan")}, "temperature"),
    ],
)
def test_bad_input_is_named(shape, clusters, options, message):
    with pytest.raises(ValueError, match=message):
        quality_cluster_coefficient(torch.zeros(shape), clusters, **options)


def test_features_may_be_whole_numbers_and_options_numpy_s():
    features = torch.randint(-9, 9, (1, 4, 2, 16, 16), dtype=torch.int16)
    for flavour in ("paper", "released", "soft"):
        q = quality_cluster_coefficient(features, [np.int64(3)], np.int64(4), flavour)
        assert torch.equal(q, quality_cluster_coefficient(features.float(), [3], 4, flavour))


@pytest.mark.parametrize(
    "bad", [torch.ones(1, 2, 2, 8, 8).bool(), torch.ones(1, 2, 2, 8, 8) * 1j, np.ones(5), None]
)
def test_features_are_a_tensor_of_real_numbers(bad):
    with pytest.raises(ValueError, match="features should be"):
        quality_cluster_coefficient(bad, [2])


def test_kmeans_and_davies_bouldin_name_bad_input():
    points = torch.zeros(2, 5, 3)
    for clusters in ([2], [2, 0]):
        with pytest.raises(ValueError, match="2 clouds of points need a number of clusters each"):
            kmeans(points, clusters)
    with pytest.raises(ValueError, match=r"points should be \(B, n, C\)"):
        kmeans(points[0], [2, 2])
    with pytest.raises(ValueError, match="labels"):
        davies_bouldin(points, torch.zeros(2, 4))
