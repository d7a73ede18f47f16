"""Run-length codes against masks counted pixel by pixel, and strings that no encoder wrote."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from evis.data import DataError, masks

bitmaps = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def runs_of(mask):
    """Run lengths down the columns, background first."""
    runs, current = [0], False
    for value in mask.T.ravel().tolist():
        if value != current:
            runs.append(0)
            current = value
        runs[-1] += 1
    return runs


def compress(runs):
    """COCO's string for any list of runs, also for ones that no picture has."""
    text = ""
    for index, run in enumerate(runs):
        value = run - (runs[index - 2] if index > 2 else 0)
        more = True
        while more:
            group, value = value & 0x1F, value >> 5
            more = value != (-1 if group & 0x10 else 0)
            text += chr(48 + group + 32 * more)
    return text


@given(bitmaps)
def test_every_mask_comes_back(mask):
    rle = masks.encode(mask)
    assert rle["size"] == list(mask.shape)
    assert np.array_equal(masks.decode(rle), mask)
    assert masks.area(rle) == mask.sum()
    assert masks.run_lengths(rle["counts"]).tolist() == runs_of(mask)
    assert masks.from_runs(runs_of(mask), *mask.shape) == rle
    assert compress(runs_of(mask)) == rle["counts"]


@given(bitmaps)
def test_the_tight_box_touches_the_mask_on_all_sides(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    expected = (0, 0, 0, 0)
    if mask.any():
        expected = (
            columns[0],
            rows[0],
            columns[-1] - columns[0] + 1,
            rows[-1] - rows[0] + 1,
        )
    assert masks.tight_box(masks.encode(mask)) == expected


def test_runs_of_a_large_picture_are_read():
    mask = np.zeros((2160, 3840), dtype=bool)
    mask[:, 1000:3000] = True
    mask[100, 3500] = True
    assert masks.run_lengths(masks.encode(mask)["counts"]).tolist() == runs_of(mask)
    whole = masks.from_runs([0, 2**30], 2**15, 2**15)
    assert masks.run_lengths(whole["counts"]).tolist() == [0, 2**30]
    assert masks.area(whole) == 2**30


def test_polygons_are_filled_and_joined():
    left, right = [1, 1, 4, 1, 4, 3, 1, 3], [3, 2, 6, 2, 6, 5, 3, 5]
    expected = np.zeros((8, 9), dtype=bool)
    expected[1:3, 1:4] = True
    expected[2:5, 3:6] = True
    assert np.array_equal(masks.decode(masks.from_polygons([left, right], 8, 9)), expected)


@pytest.mark.parametrize("number", [1, 2, 3, 7, 40])
def test_any_number_of_polygons_is_joined_as_one_after_another(number):
    corners = np.random.default_rng(number).integers(0, 60, (number, 8)).tolist()
    rles = coco.frPyObjects(corners, 50, 60)
    assert masks.from_polygons(corners, 50, 60)["counts"] == coco.merge(rles)["counts"].decode()


def test_the_work_of_many_polygons_grows_with_their_number_not_with_its_square(monkeypatch):
    """Of pairs that are merged, the code that is read; of more at once nothing is known."""
    read, merge = [], coco.merge

    def counted(parts):
        assert len(parts) <= 2
        read.append(sum(len(part["counts"]) for part in parts))
        return merge(parts)

    def work(number):
        x, y = np.random.default_rng(0).integers(0, 990, (2, number))
        read.clear()
        masks.from_polygons(np.stack([x, y, x + 3, y, x, y + 3], 1).tolist(), 1000, 1000)
        return sum(read)

    monkeypatch.setattr(coco, "merge", counted)
    assert 0 < work(16_000) < 16 * work(2_000)  # 8 times as many; the square is 64 times


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ("5ü", "no encoder"),
        ("5 ", "no encoder"),
        ("5\0", "no encoder"),
        ("5\x7f", "no encoder"),
        ("5P", "cut off"),
        ("5" + "o" * 7 + "1", "no encoder"),
        ("O", "negative"),
        (compress([3, 4, 2, -1]), "negative"),
    ],
)
def test_damaged_strings_are_named(counts, problem):
    with pytest.raises(ValueError, match=problem):
        masks.run_lengths(counts)


def test_runs_whose_sum_wraps_around_64_bits_are_refused():
    """They would pass for 600 pixels, and pycocotools would cut each to 32 bits."""
    step, runs = 2**48, [0]
    for level in [*range(1, 120), *range(119, 0, -1)]:
        runs += [step * level] * 2
    while (missing := (600 - sum(runs)) % 2**64) > step:
        level = min(119, missing // (2 * step) or 1)
        runs[2 * level - 1 : 2 * level - 1] = [step * level] * 2
    runs.append(missing)
    assert int(np.array(runs, dtype=np.uint64).sum()) == 600
    with pytest.raises(ValueError, match="no encoder"):
        masks.run_lengths(compress(runs))


def test_a_run_beyond_32_bits_is_refused():
    assert masks.run_lengths(compress([2**32 - 1])).tolist() == [2**32 - 1]
    with pytest.raises(ValueError, match="longer than any picture"):
        masks.run_lengths(compress([2**32]))


@settings(max_examples=300)
@given(st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=30))
@example("")
def test_an_accepted_string_means_the_same_to_pycocotools(counts):
    try:
        runs = masks.run_lengths(counts)
    except ValueError:
        return
    assert (runs >= 0).all()
    total = int(runs.sum())
    if 0 < total <= 10_000:
        rle = masks.RLE(size=[1, total], counts=counts)
        expected = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        assert np.array_equal(masks.decode(rle)[0], expected)
        assert masks.area(rle) == expected.sum()


def test_pairwise_iou_is_that_of_the_bitmaps_and_0_of_nothing():
    generator = np.random.default_rng(0)
    stack = generator.random((5, 7, 9)) < np.array([0.2, 0.5, 0.8, 0, 0])[:, None, None]
    encoded = [masks.encode(bitmap) for bitmap in stack]
    shared = (stack[:, None] & stack[None, :3]).sum((2, 3))
    united = (stack[:, None] | stack[None, :3]).sum((2, 3))
    np.testing.assert_allclose(masks.pairwise_iou(encoded, encoded[:3]), shared / united)
    assert masks.pairwise_iou(encoded[3:], encoded[3:]).tolist() == [[0, 0], [0, 0]]
    assert masks.pairwise_iou(encoded, []).shape == (5, 0)


def test_masks_of_two_sizes_are_not_compared():
    wide, high = masks.encode(np.ones((3, 5), bool)), masks.encode(np.ones((5, 3), bool))
    for call in (lambda: masks.iou(wide, high), lambda: masks.pairwise_iou([wide], [wide, high])):
        with pytest.raises(DataError, match=r"sizes \[\(3, 5\), \(5, 3\)\] can't be"):
            call()
