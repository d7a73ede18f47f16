"""Cuts of many frames at once: the graph written out, LAPACK, single frames, planted motion."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg

from evis.labels import maskcut, ncut, volume
from evis.labels.volume import AWAY, Volume, follow


def graph(frames=3, patches=7, seed=0, away=0.2):
    generator = np.random.default_rng(seed)
    linked = generator.random((frames, patches, patches)) < 0.4
    linked |= linked.transpose(0, 2, 1) | np.eye(patches, dtype=bool)
    moves = generator.integers(0, patches, (frames - 1, patches))
    moves[generator.random(moves.shape) < away] = AWAY
    return linked, moves, generator.random((frames, patches)) < 0.8


def written_out(linked, moves, present):
    """The matrix, entry by entry, as the module's text says."""
    frames, patches = present.shape
    own = np.where(linked, 1.0, ncut.EPSILON) * present[:, :, None] * present[:, None]
    whole = np.zeros((frames, patches, frames, patches))
    for t in range(frames):
        whole[t, :, t] = own[t]
        for i in range(patches):
            if t + 1 < frames and moves[t, i] != AWAY and present[t, i]:
                whole[t, i, t + 1] = own[t + 1, moves[t, i]]
                whole[t + 1, :, t, i] = own[t + 1, moves[t, i]]
    return whole.reshape(frames * patches, -1)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_products_are_those_of_the_matrix_written_out(frames):
    linked, moves, present = graph(frames, seed=frames)
    matrix, affinity = written_out(linked, moves, present), Volume(linked, moves, present)
    assert np.array_equal(matrix, matrix.T)
    x = np.random.default_rng(1).standard_normal((len(matrix), 3))
    np.testing.assert_allclose(affinity @ x, matrix @ x, atol=1e-12)
    np.testing.assert_allclose(affinity @ x[:, 0], matrix @ x[:, 0], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_cut_is_lapacks_of_the_whole_matrix(seed):
    """Among the vectors at right angles, in D, to the constant on every frame."""
    linked, moves, _ = graph(5, 12, seed, away=0.1)
    matrix = written_out(linked, moves, np.ones(linked.shape[:2], bool))
    root = np.sqrt(matrix.sum(1))
    frames = np.repeat(np.eye(5), 12, 0) * root[:, None]
    allowed = scipy.linalg.null_space(frames.T)
    values, vectors = scipy.linalg.eigh(allowed.T @ (matrix / root / root[:, None]) @ allowed)
    assert values[-1] - values[-2] > 1e-6, "one vector is meant"
    wanted = allowed @ vectors[:, -1] / root
    found = ncut.in_every_part(Volume(linked, moves), 5)
    np.testing.assert_allclose(np.sign(found @ wanted) * found, wanted, atol=1e-7)
    of_frame = (root**2 * found).reshape(5, 12).sum(1)
    np.testing.assert_allclose(of_frame, 0, atol=1e-7)


def test_one_part_is_the_plain_cut_and_patches_out_are_0():
    linked, _, present = graph(1, 40, 2)
    affinity = Volume(linked, np.zeros((0, 40), int), present)
    wanted, found = ncut.second_eigenvector(affinity), ncut.in_every_part(affinity, 1)
    np.testing.assert_allclose(np.sign(found @ wanted) * found, wanted, atol=1e-7)
    assert not found[~present[0]].any()


def pictures(frames=6, step=1, seed=0):
    """(T, 10, 16, 8) features and the block in them that goes a patch right every frame."""
    generator = np.random.default_rng(seed)
    ground, thing = np.eye(8)[:2]
    features = np.tile(ground, (frames, 10, 16, 1))
    truth = np.zeros((frames, 10, 16), bool)
    for t in range(frames):
        truth[t, 3:7, 2 + step * t : 6 + step * t] = True
    features[truth] = thing
    return features + 0.05 * generator.standard_normal(features.shape), truth


def flows(truth, step=1, pixels=8):
    """(T - 1, 80, 128, 2): the block's pixels go right, all others stay."""
    large = truth[:-1].repeat(pixels, 1).repeat(pixels, 2)
    return np.stack([pixels * step * large, np.zeros(large.shape)], -1)


def test_a_block_that_moves_is_one_mask():
    features, truth = pictures()
    moves = np.stack([follow(flow, (10, 16)) for flow in flows(truth)])
    found = volume.masks(features, moves, count=2)
    assert found.shape == (2, 6, 10, 16) and np.array_equal(found[0], truth)
    assert not (found[0] & found[1]).any()


def test_one_frame_alone_is_cut_as_maskcut_cuts_it():
    generator = np.random.default_rng(3)
    features = np.repeat(np.repeat(generator.standard_normal((1, 3, 4, 6)), 4, 1), 4, 2)
    features = features + 0.3 * generator.standard_normal(features.shape)
    still = np.zeros((0, 12 * 16), int)
    wanted = maskcut.masks(features[0])
    found = volume.masks(features, still)
    nonempty = [mask for mask in wanted if mask.any()]
    assert len(nonempty) > 1
    assert np.array_equal(found[: len(nonempty), 0], nonempty)


def test_an_object_that_one_frame_hides_is_found_there_through_the_others():
    """In the middle frame it has the ground's features but for a trace; alone it is not cut out."""
    features, truth = pictures(5, step=0)
    ground, thing = features[0, 0, 0], features[0, 4, 4]
    features[2] = ground + 0.02 * np.random.default_rng(5).standard_normal(features[2].shape)
    trace = ground / np.linalg.norm(ground) + 0.6 * thing / np.linalg.norm(thing)
    features[2][truth[2]] = np.linalg.norm(ground) * trace
    alone = maskcut.masks(features[2], count=1)[0]
    moves = np.tile(np.arange(160), (4, 1))
    together = volume.masks(features, moves, count=1)[0]

    def iou(a, b):
        return (a & b).sum() / (a | b).sum()

    assert iou(together[1], truth[1]) == 1
    assert iou(together[2], truth[2]) > iou(alone, truth[2])


def test_frames_all_alike_have_no_mask():
    assert not volume.masks(np.ones((3, 4, 5, 2)), np.tile(np.arange(20), (2, 1))).any()


def test_patches_follow_the_flow_and_leave():
    flow = np.zeros((8, 12, 2))
    flow[..., 0], flow[..., 1] = 4, -2
    assert follow(flow, (4, 3)).reshape(4, 3).tolist() == [
        [AWAY, AWAY, AWAY],
        [1, 2, AWAY],
        [4, 5, AWAY],
        [7, 8, AWAY],
    ]
    assert follow(np.zeros((9, 14, 2)), (3, 5)).tolist() == list(range(15))
    uneven = np.zeros((2, 2, 2))
    uneven[0, 0, 0] = 4  # one pixel in four: a mean of 1, half a patch
    assert follow(uneven, (1, 1)).tolist() == [0]


def test_moves_that_do_not_fit_are_refused():
    linked, moves, _ = graph(3, 7)
    with pytest.raises(ValueError, match=r"moves should be \(2, 7\), are \(1, 7\)"):
        Volume(linked, moves[:1])


def test_memory_grows_with_frames_not_with_their_square():
    def peak(frames):
        linked, moves, _ = graph(frames, 100, away=0)
        tracemalloc.start()
        ncut.in_every_part(Volume(linked, moves), frames)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(4)
    assert peak(16) < 2.5 * peak(8)
