"""MaskCut: the reference's cuts step by step, Eq. 4 by plain matrices, planted objects."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from evis.data import DataError
from evis.labels import maskcut

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("maskcut_*.npz"))


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request):
    arrays = dict(np.load(request.param))
    arrays["features"] = arrays["features"].reshape(*arrays["grid"], -1)
    return arrays


def planted(regions, noise=0.1, seed=0):
    """(h, w) numbers of regions -> (h, w, 16) features, the same within a region but for noise."""
    directions = np.eye(16)[:8] - 0.1
    generator = np.random.default_rng(seed)
    return directions[regions] + noise * generator.standard_normal((*regions.shape, 16))


def two_objects():
    """12 x 20 patches: 1 and 2 on 0."""
    regions = np.zeros((12, 20), int)
    regions[2:7, 3:8], regions[6:11, 12:18] = 1, 2
    return regions


def test_golden_masks(golden):
    found = maskcut.masks(golden["features"], golden["tau"], golden["count"], "released")
    wanted = [golden["masks"], golden["masks_if_eigenvectors_negated"]]  # LAPACK's sign is free
    assert any((found == masks).all() for masks in wanted)


def test_golden_sides_seeds_and_components(golden):
    """From the reference's own vectors, so that no sign and no rounding comes in between."""
    everything = np.ones(golden["grid"], bool)
    for number, vector in enumerate(golden["eigenvectors"]):
        foreground, seed, turned = maskcut.object_side(vector, everything)
        assert (foreground == golden["bipartitions"][number]).all()
        assert seed == tuple(golden["seeds"][number])
        assert turned == golden["reversed"][number]
        regions, _ = ndimage.label(foreground)
        assert (regions == regions[seed]).tolist() == golden["components"][number].tolist()


@pytest.mark.parametrize("corners, turned", [(1, False), (2, False), (3, True), (4, True)])
def test_a_side_with_three_corners_is_ground_however_extreme(corners, turned):
    vector = np.full((5, 7), -1.0)
    vector[[0, 0, 4, 4][:corners], [0, 6, 0, 6][:corners]] = 2
    vector[2, 3] = 3
    foreground, seed, below = maskcut.object_side(vector, np.ones((5, 7), bool))
    assert below == turned and (foreground == ((vector > 0) ^ turned)).all()
    assert seed == ((0, 1) if turned else (2, 3))


def test_released_rules_on_cuts_by_script(monkeypatch):
    """The first mask may be any; later ones are held against the one before, as that was left."""
    speck, block, more, other = np.zeros((4, 10, 10), bool)
    speck[5, 8] = True  # 1% of all
    block[1:5, 1:5] = True
    more[1:5, 1:6] = True  # IoU with the block 0.8
    other[6:9, 2:5] = True
    script = iter([speck, block, more, more, speck, other])
    monkeypatch.setattr(maskcut.ncut, "dense", lambda affinity: 1.0 * next(script).ravel())
    features = planted(np.arange(100).reshape(10, 10) % 2)
    found = maskcut.masks(features, count=6, flavour="released")
    nothing = np.zeros((10, 10), bool)
    assert (found == [speck, block, nothing, more & ~block, nothing, other]).all()


@pytest.mark.parametrize("golden", GOLDEN[:3], ids=lambda path: path.stem, indirect=True)
def test_golden_cuts_in_their_order(golden):
    """Of the cases that do not depend on the sign that LAPACK gives."""
    found = maskcut.cuts(golden["features"], golden["tau"], golden["count"], "released")
    taken = np.zeros(golden["grid"], bool)
    for number, cut in enumerate(found):
        assert cut.foreground[cut.seed] and cut.component[cut.seed]
        if golden["tied_components"][number] == 1:
            assert (cut.component == golden["components"][number]).all()
        left = cut.component & ~golden["emptied"][number]
        assert (cut.mask == (left & ~taken)).all()
        taken |= left
    assert number == golden["count"] - 1


def plain_paper(features, tau, count):
    """Eqs. 1, 2 and 4 on float matrices, and the rules of the docstrings; a list of masks."""
    grid = features.shape[:2]
    unit = features.reshape(-1, features.shape[-1]).astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    initial = np.where(unit @ unit.T > tau, 1, 1e-5)
    product, found = np.ones(len(unit)), []
    for _ in range(count):
        weights = initial * product * product[:, None]  # Eq. 4
        left = np.flatnonzero(product)
        weights = weights[np.ix_(left, left)]
        if len(np.unique(weights)) == 1:
            found.append(np.zeros(grid, bool))
            continue
        degrees = np.diag(weights.sum(1))
        _, vectors = scipy.linalg.eigh(degrees - weights, degrees)
        vector = vectors[:, 1] * np.sign(vectors[np.abs(vectors[:, 1]).argmax(), 1])
        upper = np.zeros(len(unit), bool)
        upper[left] = vector > vector.mean()
        corners = upper.reshape(grid)[[0, 0, -1, -1], [0, -1, 0, -1]].sum()
        if corners >= 3:
            upper[left] = ~upper[left]
            vector = -vector
        # Values that tie up to rounding: the first of them.
        seed = left[np.flatnonzero(vector > vector.max() - 1e-8)[0]]
        reached = {seed}
        waiting = [seed]
        while waiting:
            row, column = divmod(waiting.pop(), grid[1])
            for y, x in (
                (row - 1, column),
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
            ):
                near = y * grid[1] + x
                if 0 <= y < grid[0] and 0 <= x < grid[1] and upper[near] and near not in reached:
                    reached.add(near)
                    waiting.append(near)
        mask = np.zeros(len(unit), bool)
        mask[list(reached)] = True
        product[mask] = 0
        found.append(mask.reshape(grid) & (mask.mean() > 0.01))
    return found


def test_paper_is_equation_4_by_plain_matrices(golden):
    features, tau = golden["features"], golden["tau"]
    found = maskcut.masks(features, tau, 4)
    assert (found == plain_paper(features, tau, 4)).all()


def test_planted_objects_are_found_on_any_grid_and_nothing_else():
    regions = two_objects()
    for flavour in ("paper", "released"):
        found = maskcut.masks(planted(regions), count=2, flavour=flavour)
        numbers = {int(regions[mask].mean()) for mask in found}
        assert numbers == {1, 2} and all(
            (regions[mask] == regions[mask][0]).all() for mask in found
        )
        assert (found.sum(0) == (regions > 0)).all()
    paper = maskcut.masks(planted(regions), count=5)
    assert paper.any((1, 2)).tolist() == [True, True, False, False, False], "all alike is left"


def test_weak_links_that_stay_are_what_flavours_differ_in():
    """With one region left, `released` cuts off once more what it has painted."""
    features = planted(two_objects())
    paper, released = (
        list(maskcut.cuts(features, count=3, flavour=flavour)) for flavour in ("paper", "released")
    )
    assert len(paper) == 2 and len(released) == 3
    assert released[2].component.any() and not released[2].mask.any()
    assert (paper[1].vector[paper[0].mask] == 0).all()
    assert (released[1].vector[released[0].mask] != 0).all()


@given(st.integers(0, 10_000), st.sampled_from(["paper", "released"]))
def test_masks_never_overlap_and_lengths_of_features_do_not_matter(seed, flavour):
    generator = np.random.default_rng(seed)
    regions = np.kron(generator.integers(0, 8, (3, 4)), np.ones((2, 2), int))
    features = planted(regions, 0.5, seed)
    found = maskcut.masks(features, 0.3, 4, flavour)
    assert found.shape == (4, 6, 8) and found.dtype == bool and found.sum(0).max() <= 1
    lengths = 2.0 ** generator.integers(-8, 9, (6, 8, 1))  # exact in binary
    assert (maskcut.masks(lengths * features, 0.3, 4, flavour) == found).all()


def test_larger_grids_are_cut_alike_without_lapack(monkeypatch):
    regions = np.kron(two_objects(), np.ones((2, 2), int))
    features = planted(regions)
    dense = maskcut.masks(features, flavour="released")
    monkeypatch.setattr(maskcut, "_RELEASED_DENSE", 0)
    assert (maskcut.masks(features, flavour="released") == dense).all()


def test_a_speck_is_taken_out_without_becoming_a_mask():
    regions = two_objects()
    regions[0, 10] = 3  # one patch of 240
    cuts = list(maskcut.cuts(planted(regions, 0.02), count=3))
    specks = [cut for cut in cuts if cut.component.sum() == 1]
    assert len(specks) == 1 and not specks[0].mask.any() and specks[0].component[0, 10]
    assert sum(cut.mask for cut in cuts).tolist() == np.isin(regions, (1, 2)).tolist()


def test_affinities_of_appearance_and_motion_combine_as_in_equation_3():
    generator = np.random.default_rng(0)
    first, second = generator.standard_normal((2, 4, 5, 6))
    features = maskcut.combined(first, 3 * second[..., :4], 0.3).reshape(20, -1)
    unit = [each.reshape(20, -1) for each in (first, second[..., :4])]
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in unit)
    np.testing.assert_allclose(features @ features.T, 0.3 * a @ a.T + 0.7 * b @ b.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1)


@pytest.mark.parametrize("still", [0, 1])
def test_a_patch_without_motion_or_appearance_is_refused_where_both_count(still):
    features = np.random.default_rng(0).standard_normal((2, 4, 5, 6))
    features[still, 1, 2] = 0
    with pytest.raises(ValueError, match="no appearance or no motion.*Eq. 3 needs both"):
        maskcut.combined(*features, 0.5)
    for alpha in (0.0, 1.0):
        assert maskcut.combined(*features, alpha).shape == (4, 5, 12)
    features[1 - still, 1, 2] = 0  # alike to nothing in both, as Eq. 3 has it
    assert not maskcut.combined(*features, 0.5)[1, 2].any()


def test_motion_tells_apart_what_looks_alike():
    moving = two_objects()
    looks = planted((moving > 0).astype(int))  # both objects alike
    flow = planted(np.where(moving == 1, 4, 5), seed=1)  # one of them moves
    still, _ = maskcut.masks(maskcut.combined(looks, flow, 1.0), count=2)
    assert (still == maskcut.masks(looks, count=2)[0]).all()
    found = maskcut.masks(maskcut.combined(looks, flow, 0.5), 0.6, 2)
    assert {tuple(np.unique(moving[mask])) for mask in found} == {(1,), (2,)}


@pytest.mark.parametrize("flavour", ["paper", "released"])
def test_nothing_to_tell_apart_gives_empty_masks(flavour):
    frames = {
        "one colour": np.ones((6, 9, 4)),
        "no features": np.zeros((6, 9, 4)),
        "no channels": np.zeros((6, 9, 0)),
        "nothing alike": np.eye(54).reshape(6, 9, 54),
        "one patch": np.ones((1, 1, 4)),
        "no patches": np.ones((0, 9, 4)),
    }
    for name, features in frames.items():
        found = maskcut.masks(features, count=2, flavour=flavour)
        assert found.shape == (2, *features.shape[:2]) and not found.any(), name
    assert maskcut.masks(np.ones((6, 9, 4)), count=0, flavour=flavour).shape == (0, 6, 9)


def test_bad_input_is_refused():
    features = np.ones((4, 5, 3))
    with pytest.raises(ValueError, match=r"\(h, w, C\), got \(20, 3\)"):
        maskcut.masks(features.reshape(20, 3))
    with pytest.raises(ValueError, match="flavour should be one of paper, released"):
        maskcut.masks(features, flavour="printed")
    with pytest.raises(ValueError, match="alpha should be 0 to 1"):
        maskcut.combined(features, features, 1.5)
    with pytest.raises(ValueError, match="count should be 0 or more, is -1"):
        maskcut.masks(features, count=-1)
    features[1, 1, 1] = np.nan
    with pytest.raises(DataError, match="features: NaN or infinite"):
        maskcut.masks(features)
