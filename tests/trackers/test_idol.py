"""IDOL's tracker: the reference's ids, likeness and results; and each rule alone, planted."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.trackers import idol

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = [("idol_track_0", idol.YTVIS), ("idol_track_1", idol.OVIS)]
INPUTS = ("pred_logits", "pred_boxes", "pred_masks", "pred_inst_embed")


def golden(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_every_query_has_the_reference_id(name, settings, device):
    case = golden(name)
    with torch.autocast(device.type, torch.bfloat16):
        ids = idol.track(*(case[key].to(device) for key in INPUTS), settings)
    assert ids.dtype == torch.long and ids.device.type == device.type
    assert torch.equal(ids.cpu(), case["ids"])


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_memory_and_likeness_are_the_reference_ones_before_every_frame(name, settings):
    case, tracker = golden(name), idol.Tracker(settings)
    for t in range(len(case["ids"])):
        queries, known = (case[key][t] for key in ("order_in_tracker", "memory_ids"))
        queries, known = queries[queries >= 0], known[known >= 0]
        assert list(tracker.memory) == known.tolist()
        frames = [track.frames for track in tracker.memory.values()]
        assert frames == case["memory_exist_frames"][t, : len(known)].tolist()
        if len(known):
            likeness = tracker.likeness(case["pred_inst_embed"][t, queries])
            expected = case["bisoftmax"][t, : len(queries), : len(known)]
            torch.testing.assert_close(likeness, expected, rtol=0, atol=1e-6)
        tracker.step(*(case[key][t] for key in INPUTS))


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_results_are_the_reference_ones(name, settings):
    case = golden(name)
    queries, probabilities = idol.tracks(case["ids"], case["pred_logits"])
    numbers = [int(case["ids"][t, q]) for t, q in ((q.max(0).indices, q.max()) for q in queries)]
    rows, labels = (probabilities > idol.NAMED).nonzero(as_tuple=True)
    found = [(numbers[row], int(label)) for row, label in zip(rows, labels, strict=True)]
    expected = list(zip(*(case[f"result_{k}"].tolist() for k in ("track_ids", "labels")), strict=1))
    assert found == expected and len(set(expected)) == len(expected)
    for entry, (row, label) in enumerate(expected):
        of_track = numbers.index(row)
        score = probabilities[of_track, label]
        torch.testing.assert_close(score, case["result_scores"][entry], rtol=0, atol=1e-6)
        present = queries[of_track] >= 0
        assert torch.equal(present, case["result_mask_present"][entry])


def frame(*objects: tuple[float, int, int, int]) -> tuple[torch.Tensor, ...]:
    """(score, class, place, look) each -> a frame's tensors: 8 places side by side, 6 looks."""
    logits = torch.full((len(objects), 3), -9.0)
    boxes, masks = torch.zeros(len(objects), 4), torch.full((len(objects), 4, 32), -9.0)
    for row, (score, of_class, place, _) in enumerate(objects):
        logits[row, of_class] = torch.tensor(score).logit()
        boxes[row] = torch.tensor([place / 8 + 1 / 16, 0.5, 1 / 8, 1.0])
        masks[row, :, 4 * place : 4 * place + 4] = 9.0
    embeddings = 5 * torch.eye(6)[[look for *_, look in objects]]
    return logits, boxes, masks, embeddings.reshape(-1, 6)


def ids(*frames: tuple[torch.Tensor, ...], settings=idol.YTVIS) -> list[list[int]]:
    tracker = idol.Tracker(settings)
    return [tracker.step(*tensors).tolist() for tensors in frames]


def test_boxes_repeat_within_a_class_and_masks_across_classes():
    twice = frame((0.8, 0, 1, 0), (0.9, 0, 1, 1), (0.7, 1, 1, 2), (0.05, 2, 5, 3))
    assert ids(twice) == [[-4, 0, -3, -4]]


def test_pixels_are_counted_exactly_under_autocast(device):
    logits, boxes, _, embeddings = frame((0.9, 0, 1, 0), (0.8, 1, 4, 1))
    masks = torch.full((2, 30, 40), 9.0)
    masks[1].flatten()[601:] = -9.0  # an IoU of 0.5008; in bfloat16, 601 is 600
    with torch.autocast(device.type, torch.bfloat16):
        found = idol.Tracker().step(*(x.to(device) for x in (logits, boxes, masks, embeddings)))
    assert found.tolist() == [0, -3]


def test_what_repeats_a_repetition_alone_stays():
    same = torch.eye(3, dtype=torch.bool)
    same[[1, 2], [0, 1]] = True  # the second is as the first, the third as the second
    assert idol.first_of_each(same).tolist() == [True, False, True]


def test_the_best_query_goes_in_alone_where_none_is_a_detection():
    first = frame((0.9, 0, 1, 0), (0.8, 0, 4, 1))
    assert ids(first, frame((0.03, 0, 1, 0), (0.05, 0, 4, 1))) == [[0, 1], [-4, 1]]


BOTH = frame((0.9, 0, 1, 0), (0.8, 0, 6, 1))


def test_the_weak_begin_no_track_and_say_whether_they_are_apart():
    weak = frame((0.9, 0, 1, 0), (0.8, 0, 6, 1), (0.15, 0, 4, 2), (0.12, 1, 1, 3))
    weak[2][3, :, 5:8] = -9.0  # a quarter of the first one's mask is left
    assert ids(BOTH, weak)[1] == [0, 1, -1, -2]


def test_new_tracks_need_a_higher_score_under_ovis_but_not_where_there_is_none():
    alone, third = frame((0.25, 0, 1, 0)), frame((0.9, 0, 1, 0), (0.8, 0, 6, 1), (0.25, 0, 4, 2))
    assert ids(alone, settings=idol.OVIS) == [[0]]
    assert ids(BOTH, third)[1] == [0, 1, 2]
    assert ids(BOTH, third, settings=idol.OVIS)[1] == [0, 1, -1]


def test_a_track_goes_to_the_better_of_two_that_look_like_it():
    alike = frame((0.5, 0, 4, 0), (0.7, 0, 1, 0), (0.6, 0, 6, 1))
    assert ids(BOTH, alike)[1] == [2, 0, 1]


@pytest.mark.parametrize(("missed", "expected"), [(9, [0, 1]), (10, [0, 2])])
def test_a_track_unseen_for_ten_frames_is_forgotten(missed, expected):
    alone = frame((0.9, 0, 1, 0))
    assert ids(BOTH, *[alone] * missed, BOTH)[-1] == expected


def test_what_is_like_two_tracks_goes_to_the_one_seen_longer():
    tracker = idol.Tracker()
    for frames, look in ((2, 0), (5, 1)):
        known = idol.Remembered(frames=frames)
        known.embeddings.append(5 * torch.eye(6)[look])
        known.scores.append(torch.tensor(0.9))
        tracker.memory[len(tracker.memory)] = known
    # Over the tracks, softmax is about 0.5 for each; over the rows, nearly 1 for both.
    one = frame((0.9, 0, 1, 0), (0.8, 0, 6, 5))
    one[3][0] = torch.tensor([4.01, 4.0, 0.0, 0.0, 0.0, 0.0])
    one[3][1] = -one[3][0]
    likeness = tracker.likeness(one[3])[0]
    assert likeness[0] > likeness[1] > idol.LIKE
    assert tracker.step(*one)[0] == 1


def test_the_memory_is_the_last_three_embeddings_weighed_by_score_and_order():
    known = idol.Remembered()
    for score, value in ((0.9, 100.0), (0.2, 1.0), (0.4, 2.0), (0.6, 3.0)):
        known.embeddings.append(torch.tensor([value]))
        known.scores.append(torch.tensor(score))
    weights = [0.2 + 1 / 3, 0.4 + 2 / 3, 0.6 + 1]
    expected = sum(w * v for w, v in zip(weights, (1, 2, 3), strict=True)) / sum(weights)
    assert known.mean().tolist() == pytest.approx([expected])


def test_short_tracks_that_are_gone_are_no_results_and_come_back_without_their_past():
    numbers = torch.full((14, 2), -4)
    numbers[:, 0] = 0
    numbers[[0, 1], 1] = 1  # two frames: gone by frame 9
    numbers[[2, 3, 4], 1] = 2  # three frames stay
    numbers[[7], 1] = 3
    numbers[[11], 1] = 3  # again, without frame 7
    numbers[[8], 1] = 4  # absent in one frame at frame 9, in two at frame 10
    logits = torch.randn(14, 2, 3)

    def seen(queries: torch.Tensor) -> list[list[int]]:
        return [(row >= 0).nonzero().flatten().tolist() for row in queries]

    assert seen(idol.tracks(numbers, logits)[0]) == [list(range(14)), [2, 3, 4]]
    queries, probabilities = idol.tracks(numbers[:13], logits[:13])
    assert seen(queries) == [list(range(13)), [2, 3, 4], [11]]
    torch.testing.assert_close(probabilities[1], logits[2:5, 1].sigmoid().mean(0))
    short, _ = idol.tracks(numbers[:9], logits[:9])
    assert len(short) == 5  # nothing is dropped of a video this short


@settings(max_examples=30)
@given(st.integers(0, 2**16))
def test_in_every_frame_a_track_has_one_query_and_ids_begin_in_order(seed):
    torch.manual_seed(seed)
    inputs = (
        torch.randn(6, 7, 3),
        torch.rand(6, 7, 4),
        torch.randn(6, 7, 3, 4),
        torch.randn(6, 7, 5),
    )
    found = idol.track(*inputs)
    new = -1
    for of_frame in found:
        on_track = of_frame[of_frame >= 0].tolist()
        assert len(set(on_track)) == len(on_track)
        later = sorted(number for number in on_track if number > new)
        assert later == list(range(new + 1, new + 1 + len(later)))
        new = max([new, *on_track])
    queries, _ = idol.tracks(found, inputs[0])
    assert len(queries) == new + 1
    for number, row in enumerate(queries):
        for t, query in enumerate(row.tolist()):
            assert (found[t] == number).any() == (query >= 0)
            assert query < 0 or found[t, query] == number


def test_empty_input_gives_an_empty_result_and_bad_shapes_are_refused():
    empty = (
        torch.zeros(0, 5, 3),
        torch.zeros(0, 5, 4),
        torch.zeros(0, 5, 2, 2),
        torch.zeros(0, 5, 4),
    )
    none = torch.zeros(2, 0, 3), torch.zeros(2, 0, 4), torch.zeros(2, 0, 2, 2), torch.zeros(2, 0, 4)
    assert idol.track(*empty).shape == (0, 5)
    assert idol.track(*none).shape == (2, 0)
    for inputs in (empty, none):
        queries, probabilities = idol.tracks(idol.track(*inputs), inputs[0])
        assert queries.shape == (0, len(inputs[0])) and probabilities.shape == (0, 3)
    with pytest.raises(ValueError, match="mask_logits should have 4 axes"):
        idol.track(empty[0], empty[1], empty[1], empty[3])
    with pytest.raises(ValueError, match="embeddings should have 3 axes"):
        idol.track(*none[:3], torch.zeros(2, 1, 4))


@pytest.mark.parametrize("which", range(4))
def test_input_that_is_not_finite_is_refused(which):
    inputs = [torch.zeros(2, 3, *axes) for axes in ((2,), (4,), (8, 8), (5,))]
    inputs[which][1, 1] = torch.nan
    name = ("class_logits", "boxes", "mask_logits", "embeddings")[which]
    with pytest.raises(ValueError, match=f"{name} hold NaN or infinity"):
        idol.track(*inputs)
