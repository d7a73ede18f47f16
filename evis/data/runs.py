"""Many compressed masks read at once, without decoding one into pixels: where their runs lie.

The code is described at `evis.data.masks.run_lengths`. With c the run lengths, it holds the
differences of every other one: x[k] = c[k] - c[k - 2]. So their running sum is c[k] + c[k - 1], the
way from one start of foreground to the next and from one end to the next; and summing up every
other of these gives the starts and the ends.
"""

import numpy as np

LONGEST_LINE = 2**30  # pixels: places on the line and their differences fit 32 bits
_LONGEST_CODE = 7  # characters a number; more would not fit 32 bits
_MORE = bytes(range(80, 112))  # the characters after which a number goes on
_LAST = bytes((code & 15) - (code & 16) & 255 for code in range(-48, 208))  # values of the others
_BOTH = 2**32 + 1  # times a number: that number in both halves of 64 bits


def areas(counts: list[str], pixels: int) -> np.ndarray:
    """(masks,) foreground pixels of masks of so many pixels; ValueError where one is damaged."""
    if not counts:
        return np.zeros(0, dtype=np.int64)
    starts, ends, pairs = edges(counts, np.zeros(len(counts), dtype=np.int64), pixels)
    return np.add.reduceat(ends - starts, np.cumsum(pairs) - pairs, dtype=np.int32)


def edges(
    counts: list[str], places: np.ndarray, pixels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts and ends of the masks' runs, int32, and how many each has; ValueError where damaged.

    `places` (masks,) says where each mask begins on a line, of `LONGEST_LINE` at most. After a
    mask's runs stands one of length zero at its end.
    """
    if pixels > LONGEST_LINE:
        raise ValueError(f"a frame of {pixels} pixels is too large")
    values, sizes = _values(counts, pixels)
    # One 0 stands after each code. With one more where that leaves an odd number, a mask's runs are
    # pairs of a start and an end; the last pair, made of a 0, becomes the run of length zero.
    is_even = sizes % 2 == 0
    if is_even.any():
        values = np.insert(values, np.cumsum(sizes + 1)[is_even], 0)
    pairs = sizes // 2 + 1
    last = np.cumsum(pairs) - 1
    first = last - pairs + 1
    start = 2 * first
    third = start[sizes > 2] + 2  # it and the two before stand in the code as they are
    values[third] -= values[third - 2]
    # Each mask's sum begins anew.
    values[start[1:]] -= np.add.reduceat(values, start, dtype=np.int32)[:-1]
    ways = np.cumsum(values, out=values)
    if ways.view(np.uint32).max() > pixels:  # negative ones are the largest then
        raise ValueError("a run is negative or longer than the frame")
    steps = ways.view(np.int64)  # starts and ends are summed up together, as the halves of 64 bits
    reached = np.add.reduceat(steps, first) + places * _BOTH
    steps[first] += places * _BOTH
    steps[first[1:]] -= reached[:-1]
    line = np.cumsum(steps, out=steps).view(np.int32)
    frame_ends = places + pixels
    if (line[start + sizes - 1] != frame_ends).any():
        raise ValueError("a mask does not cover its frame")
    starts, ends = line[0::2].copy(), line[1::2].copy()
    starts[last] = ends[last] = frame_ends
    gaps = starts[1:] >= ends[:-1]
    gaps[last[:-1]] = True  # from one mask to the next
    if not gaps.all() or (ends < starts).any():
        raise ValueError("a run is negative")
    return starts, ends, pairs


def _values(counts: list[str], pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers written in the codes (int32), a 0 after each code's, and how many each holds."""
    text = ("0".join(counts) + "0").encode("ascii")
    characters = np.frombuffer(text, dtype=np.uint8)
    lengths = np.fromiter(map(len, counts), dtype=np.int64, count=len(counts))
    stops = np.cumsum(lengths + 1) - 1
    if lengths.min() == 0 or characters.min() < 48 or characters.max() > 111:
        raise ValueError("a code is empty or holds a character that no encoder writes")
    if (characters[stops - 1] >= 80).any():
        raise ValueError("a code ends within a number")
    values = np.frombuffer(text.translate(_LAST, _MORE), dtype=np.int8).astype(np.int32)
    earlier = np.flatnonzero(characters >= 80)  # all but the last characters of longer numbers
    # A number's last character is its highest: from there, one character of each a turn.
    left, of_number = earlier, earlier - np.arange(len(earlier))
    for _ in range(_LONGEST_CODE - 1):
        if not len(left):
            break
        is_next = np.append(of_number[1:] != of_number[:-1], True)
        number = of_number[is_next]
        large = (values[number].astype(np.int64) << 5) + (characters[left[is_next]] - 80)
        if np.abs(large).max() > pixels:
            raise ValueError("a number is larger than the frame")
        values[number] = large
        left, of_number = left[~is_next], of_number[~is_next]
    if len(left):
        raise ValueError("a number is longer than any picture")
    return values, lengths - np.diff(np.searchsorted(earlier, stops), prepend=0)
