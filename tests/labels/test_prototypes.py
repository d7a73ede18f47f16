"""Prototype memory filtering: planted outliers, how many prototypes, and its thresholds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError
from evis.labels import prototypes


def around(directions: np.ndarray, each: int, seed: int = 0) -> np.ndarray:
    """`each` embeddings near every direction, of any length."""
    random = np.random.default_rng(seed)
    near = np.repeat(directions, each, 0)
    near = near + 0.05 * random.normal(size=near.shape)
    return near * random.uniform(0.5, 3, (len(near), 1))


def test_an_instance_unlike_every_prototype_of_its_class_is_dropped():
    axes = np.eye(6)
    embeddings = np.concatenate([around(axes[:2], 60), around(axes[2:4], 60)])
    classes = np.repeat([3, 7], 120)
    classes[5] = 7  # looks like class 3
    embeddings[200] = axes[5]  # looks like nothing
    kept, found = prototypes.keep(embeddings, classes, instances_each=65)
    assert np.flatnonzero(~kept).tolist() == [5, 200]
    assert set(found) == {3, 7}
    for number, (one, other) in {3: axes[:2], 7: axes[2:4]}.items():
        np.testing.assert_allclose(np.linalg.norm(found[number], axis=1), 1)
        assert max(found[number] @ one) > 0.99 and max(found[number] @ other) > 0.99


def test_prototypes_are_in_proportion_to_the_instances_of_a_class():
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(171, 8))
    classes = np.repeat([0, 1, 2, 3], [100, 50, 20, 1])
    _, found = prototypes.keep(embeddings, classes, instances_each=10)
    assert [len(found[number]) for number in range(4)] == [10, 5, 2, 1]
    np.testing.assert_allclose(found[3][0], embeddings[-1] / np.linalg.norm(embeddings[-1]))
    _, found = prototypes.keep(embeddings, classes, instances_each=np.inf)
    assert [len(found[number]) for number in range(4)] == [1] * 4


@settings(max_examples=15)
@given(st.integers(0, 2**16))
def test_an_instance_stays_as_its_best_cosine_says_and_higher_tau_keeps_fewer(seed):
    random = np.random.default_rng(seed)
    embeddings, classes = random.normal(size=(30, 4)), random.integers(0, 3, 30)
    before = np.ones(30, dtype=bool)
    for tau in (-1.0, 0.3, 0.7, 0.9):
        kept, found = prototypes.keep(embeddings, classes, tau, instances_each=8)
        for embedding, number, stays in zip(embeddings, classes, kept, strict=True):
            best = max(embedding @ p / np.linalg.norm(embedding) for p in found[number])
            assert stays == (best >= tau)
        assert not (kept & ~before).any()
        before = kept
        if tau == -1:
            assert kept.all()


def test_an_outlier_that_is_a_prototype_of_its_own_stays():
    """What the method can't see: with more prototypes than looks, an odd one gets its own."""
    embeddings = np.concatenate([around(np.eye(3)[:1], 60), np.eye(3)[1:2]])
    one, _ = prototypes.keep(embeddings, np.zeros(61, dtype=int), instances_each=61)
    two, _ = prototypes.keep(embeddings, np.zeros(61, dtype=int), instances_each=31)
    assert np.flatnonzero(~one).tolist() == [60] and two.all()


def test_equal_instances_and_opposite_ones_are_no_trouble():
    same = np.tile([[3.0, 4.0]], (200, 1))
    kept, found = prototypes.keep(same, np.zeros(200, dtype=int))
    assert kept.all() and found[0].shape == (1, 2)
    kept, found = prototypes.keep(np.array([[1.0, 0], [-1, 0]]), np.zeros(2, dtype=int))
    assert not kept.any() and found[0].tolist() == [[0, 0]]


def test_no_instance_gives_no_prototype():
    for empty in ([], np.zeros((0, 5))):
        kept, found = prototypes.keep(empty, [])
        assert kept.shape == (0,) and kept.dtype == bool and found == {}


def test_bad_input_is_refused():
    with pytest.raises(DataError, match=r"\(n, C\) and \(n,\)"):
        prototypes.keep(np.eye(3), [0, 1])
    with pytest.raises(DataError, match="number 2 of the instances"):
        prototypes.keep(np.diag([1.0, 1, 0]), [0, 0, 0])
    with pytest.raises(ValueError, match="tau"):
        prototypes.keep(np.eye(3), [0, 0, 0], tau=1.5)
