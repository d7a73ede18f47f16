"""The point matcher against brute force, odd cases by hand, and data sets in and out."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError, masks, toy, ytvis
from evis.data.clips import ClipDataset
from evis.data.predictions import PredictedTrack
from evis.data.supervision import P1N1, P5N5, PointScheme, weaken
from evis.data.types import Category, Point, Track, Video, VISDataset
from evis.labels import points
from evis.metrics.ytvis import evaluate

# brute force: the paper's sums, term by term and permutation by permutation


def brute_cost(proposals, maskness, clicks, weights=(5, 5, 2)):
    cost = np.zeros((len(clicks), len(proposals)))
    for j, of_object in enumerate(clicks):
        shows = {frame for frame, *_ in of_object}
        for r, proposal in enumerate(proposals):
            for frame, x, y, positive in of_object:
                cost[j, r] += weights[0] * (bool(proposal[frame][y][x]) != bool(positive))
            for i, of_other in enumerate(clicks):
                for frame, x, y, positive in of_other:
                    if i != j and positive and frame in shows:
                        cost[j, r] += weights[1] * bool(proposal[frame][y][x])
            cost[j, r] -= weights[2] * maskness[r]
    return cost


def least_sum(cost):
    """Of the square matrix that is padded with "no object" or "no proposal" at no cost."""
    side = max(cost.shape)
    padded = np.zeros((side, side))
    padded[: cost.shape[0], : cost.shape[1]] = cost
    return min(padded[np.arange(side), list(order)].sum() for order in permutations(range(side)))


def check_assignment(chosen, cost):
    taken = chosen[chosen >= 0]
    assert chosen.shape == (len(cost),) and (chosen >= -1).all()
    assert len(set(taken.tolist())) == len(taken) == min(cost.shape), "one to one, and all of them"
    objects = np.flatnonzero(chosen >= 0)
    assert cost[objects, taken].sum() == pytest.approx(least_sum(cost), abs=1e-9)


@st.composite
def cases(draw):
    """Few pixels, so that clicks meet each other, occluders and wrong proposals all the time."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    r, n = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    t, h, w = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    proposals = rng.random((r, t, h, w)) < rng.random()
    clicks = [
        [
            (int(rng.integers(t)), int(rng.integers(w)), int(rng.integers(h)), rng.random() < 0.6)
            for _ in range(rng.integers(4))
        ]
        for _ in range(n)
    ]
    return proposals, rng.random(r), clicks


@settings(max_examples=150)
@given(cases())
def test_costs_and_assignment_are_those_of_brute_force(case):
    proposals, maskness, clicks = case
    cost = points.costs(proposals, maskness, clicks)
    assert cost.shape == (len(clicks), len(proposals))
    np.testing.assert_allclose(cost, brute_cost(*case), rtol=0, atol=1e-12)
    chosen = points.assign(proposals, maskness, clicks)
    check_assignment(chosen, cost)
    assert np.array_equal(points.assign(cost), chosen)


@settings(max_examples=50)
@given(cases(), st.tuples(*[st.floats(0, 10)] * 3))
def test_terms_are_weighed(case, weights):
    cost = points.costs(*case, weights=weights)
    np.testing.assert_allclose(cost, brute_cost(*case, weights), rtol=0, atol=1e-9)
    annotated, cross, maskness = points.terms(*case)
    np.testing.assert_allclose(annotated, brute_cost(*case, (1, 0, 0)))
    np.testing.assert_allclose(cross, brute_cost(*case, (0, 1, 0)))
    np.testing.assert_allclose(maskness, brute_cost(*case, (0, 0, 1)))


@settings(max_examples=75)
@given(cases(), st.integers(0, 2**32 - 1))
def test_per_frame_is_the_same_for_each_frame_as_if_alone(case, seed):
    proposals, _, clicks = case
    maskness = np.random.default_rng(seed).random(proposals.shape[:2])
    chosen = points.assign_per_frame(proposals, maskness, clicks)
    assert chosen.shape == (len(clicks), proposals.shape[1])
    for t in range(proposals.shape[1]):
        alone = [[(0, *rest) for frame, *rest in of_one if frame == t] for of_one in clicks]
        shown = [n for n, of_one in enumerate(alone) if of_one]
        assert (np.delete(chosen[:, t], shown) == -1).all()
        here = proposals[:, t : t + 1], maskness[:, t], [alone[n] for n in shown]
        check_assignment(chosen[shown, t], brute_cost(*here))


def test_terms_of_encoded_proposals_are_those_of_their_pixels():
    noise = np.random.default_rng(0)
    soft = noise.random((5, 3, 6, 8)) * (noise.random((5, 3, 1, 1)) > 0.2)  # some frames are empty
    of = Video(1, "v", 6, 8, ("",) * 3)
    clicks = [[(0, 7, 5, True), (2, 0, 0, False)], [(0, 1, 1, True), (1, 3, 2, True)], []]
    proposals = points.as_proposals(soft, 1, "cited")
    found = points.terms_of(proposals, of, clicks)
    wanted = points.terms(soft > 0.5, points.maskness(soft, "cited"), clicks)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert points.terms_of([], of, clicks).annotated.shape == (3, 0)
    np.testing.assert_array_equal(
        points.weighted(found), sum(w * t for w, t in zip((5, 5, 2), found, strict=True))
    )
    with pytest.raises(DataError, match="lies outside the video"):
        points.terms_of(proposals, of, [[(3, 0, 0, True)]])


# odd cases, by hand


def strip(*covered):
    """A proposal of one frame, one row of six pixels."""
    return np.isin(np.arange(6), covered)[None, None]


def on(x, frame=0):
    return (frame, x, 0, True)


def off(x, frame=0):
    return (frame, x, 0, False)


LEFT, RIGHT, BOTH, NONE = strip(0, 1), strip(4, 5), strip(0, 1, 4, 5), strip()


def test_cross_instance_negatives_keep_a_proposal_of_two_objects_out():
    proposals, sure = np.stack([BOTH, LEFT, RIGHT]), np.array([0.9, 0.5, 0.5])
    clicks = [[on(0)], [on(5)]]
    cost = points.costs(proposals, sure, clicks)
    np.testing.assert_allclose(cost, [[3.2, -1, 9], [3.2, 9, -1]])
    assert points.assign(proposals, sure, clicks).tolist() == [1, 2]
    alone = points.assign(proposals, sure, clicks, weights=(5, 0, 2))
    assert 0 in alone.tolist(), "without them the surer one is taken"


def test_a_negative_click_does_what_another_object_s_positive_one_does():
    proposals, sure = np.stack([BOTH, LEFT]), np.array([0.9, 0.5])
    assert points.assign(proposals, sure, [[on(0)]]).tolist() == [0]
    assert points.assign(proposals, sure, [[on(0), off(5)]]).tolist() == [1]


def test_only_frames_where_the_object_shows_count():
    """The other object's click in frame 1 lies where the first one's proposal is by then."""
    proposals = np.stack([np.concatenate([LEFT, RIGHT]), np.concatenate([RIGHT, LEFT])])
    first, other = [on(0, frame=0)], [on(5, frame=1)]
    assert points.terms(proposals, np.zeros(2), [first, other]).cross_instance.tolist() == [
        [0, 0],
        [0, 0],
    ]
    first.append(off(0, frame=1))
    assert points.terms(proposals, np.zeros(2), [first, other]).cross_instance.tolist() == [
        [1, 0],
        [0, 0],
    ]


def test_more_objects_than_proposals_leave_the_one_whose_lack_costs_least():
    clicks = [[on(2)], [on(0)], [on(5)]]
    proposals = np.stack([LEFT, RIGHT])
    assert points.assign(proposals, np.zeros(2), clicks).tolist() == [-1, 0, 1]
    assert points.assign(proposals[:0], np.zeros(0), clicks).tolist() == [-1, -1, -1]


def test_no_objects_and_no_clicks():
    proposals = np.stack([LEFT, RIGHT])
    assert points.costs(proposals, np.zeros(2), []).shape == (0, 2)
    assert points.assign(proposals, np.zeros(2), []).tolist() == []
    unclicked = points.costs(proposals, np.array([0.25, 0.5]), [[], [on(0)]])
    assert unclicked.tolist() == [[-0.5, -1], [-0.5, 4]]


def test_a_click_on_an_occluder_is_believed():
    occluded, occluder = LEFT, strip(2, 3)
    proposals, sure = np.stack([occluded, occluder]), np.array([0.9, 0.5])
    assert points.assign(proposals, sure, [[on(0)]]).tolist() == [0]
    assert points.assign(proposals, sure, [[on(3)]]).tolist() == [1]
    assert points.assign(proposals, sure, [[on(3)], [on(2)]]).tolist() in ([0, 1], [1, 0])


def test_a_click_that_two_objects_share_tells_nothing():
    proposals, sure = np.stack([LEFT, RIGHT, NONE]), np.array([0.2, 0.6, 0.4])
    cost = points.costs(proposals, sure, [[on(0)], [on(0)]])
    assert (cost == 5 - 2 * sure).all()
    cost = points.costs(proposals, sure, [[on(0), on(1)], [on(0), on(5)]])
    assert cost.argmin(1).tolist() == [0, 1], "the other click decides"


@pytest.mark.parametrize("click", [(1, 0, 0), (0, 6, 0), (0, 0, 1), (-1, 0, 0), (0, -1, 0)])
def test_clicks_outside_are_named(click):
    with pytest.raises(DataError, match=r"frame -?\d: the click \(.*\) on object 1 lies outside"):
        points.costs(LEFT[None], np.zeros(1), [[on(0)], [(*click, True)]])


@pytest.mark.parametrize("click", [(0, 0, 0, -1), (0, 0, 0, 2), (0, 0.9, 0, 1), (0, 0, np.nan, 0)])
def test_clicks_that_are_neither_on_nor_off_or_between_pixels_are_named(click):
    with pytest.raises(DataError, match=r"the click \(.*\) on object 1 is not .*False, or 0"):
        points.costs(LEFT[None], np.zeros(1), [[on(0)], [click]])


def test_clicks_may_be_numbers_of_any_kind():
    told = [[(0, 1, 0, True), (0, 4, 0, False)]]
    wanted = points.costs(LEFT[None], np.zeros(1), told)
    for kind in (float, np.float32, np.int64):
        clicks = [[tuple(map(kind, click)) for click in told[0]]]
        assert np.array_equal(points.costs(LEFT[None], np.zeros(1), clicks), wanted)


def test_wrong_inputs_are_refused():
    soft = np.full((2, 1, 1, 6), 0.7)
    with pytest.raises(ValueError, match="binarise"):
        points.costs(soft, np.zeros(2), [])
    with pytest.raises(ValueError, match="binarise"):
        points.costs(LEFT, np.zeros(1), [])
    for maskness in (np.zeros(3), np.zeros((2, 1)), np.array([0, np.nan])):
        with pytest.raises(ValueError, match="finite number for each of 2 proposals"):
            points.costs(soft > 0.5, maskness, [])
    with pytest.raises(ValueError, match=r"should be \(R, T\), \(2, 1\)"):
        points.assign_per_frame(soft > 0.5, np.zeros(2), [])
    with pytest.raises(ValueError, match="paper or cited"):
        points.maskness(soft, "released")


# maskness


def test_maskness_as_printed_measures_area_and_as_cited_how_sure_the_mask_is():
    large_and_vague, small_and_sure = np.full((1, 2, 4, 4), 0.6), np.zeros((1, 2, 4, 4))
    small_and_sure[:, :, 0, 0] = 0.99
    nothing = np.full((1, 2, 4, 4), 0.4)
    soft = np.concatenate([large_and_vague, small_and_sure, nothing])
    printed, cited = points.maskness(soft), points.maskness(soft, "cited")
    np.testing.assert_allclose(printed, [0.6, 0.99 / 16, 0.4])
    np.testing.assert_allclose(cited, [0.6, 0.99, 0])
    assert printed.argmax() == 0 and cited.argmax() == 1
    assert points.maskness(soft[:0]).shape == points.maskness(soft[:0], "cited").shape == (0,)


def test_maskness_is_of_the_whole_video_not_a_mean_over_frames():
    soft = np.zeros((1, 2, 2, 2), dtype=np.float32)
    soft[0, 0, 0, 0], soft[0, 1] = 1, 0.75
    assert points.maskness(soft, "cited").tolist() == [(1 + 4 * 0.75) / 5]


# data sets


VIDEO = Video(4, "strips", 1, 6, ("0.png", "1.png", "2.png"))


def clicked(*tracks):
    """A data set of one video; each track is its clicks a frame."""
    return VISDataset(
        (VIDEO,),
        tuple(Track(n, 4, 2, points=of_track) for n, of_track in enumerate(tracks, 7)),
        (Category(2, "strip"),),
        supervision="point",
    )


def proposal(score, *frames):
    encoded = tuple(None if mask is None else masks.encode(mask[0, 0][None]) for mask in frames)
    return PredictedTrack(4, points.NO_CLASS, score, encoded)


HERE = (Point(0, 0, True),)
THERE = (Point(5, 0, True),)


def test_a_track_gets_the_masks_of_its_proposal_where_it_shows_and_none_elsewhere():
    dataset = clicked((HERE, HERE, None), (None, THERE, THERE))
    found = [proposal(0.1, BOTH, BOTH, BOTH), proposal(0.5, LEFT, LEFT, LEFT)]
    found += [proposal(0.5, RIGHT, RIGHT, None)]
    made = points.label(dataset, found, origin="matched strips")
    assert (made.supervision, made.origin) == ("point", "matched strips")
    assert made.kinds == {"points", "masks", "boxes"}
    first, second = made.tracks
    assert (first.id, first.category_id, first.points) == (7, 2, (HERE, HERE, None))
    assert first.masks == (found[1].masks[0], found[1].masks[1], None), "born, then dead"
    assert first.boxes == ((0, 0, 2, 1), (0, 0, 2, 1), None) and first.areas == (2, 2, None)
    assert second.masks == (None, found[2].masks[1], None), "nor where the proposal is absent"


def test_per_frame_a_track_may_get_another_proposal_in_each_frame():
    dataset = clicked((HERE, HERE, None), (THERE, THERE, THERE))
    swapped = [proposal(0.5, LEFT, RIGHT, None), proposal(0.5, RIGHT, LEFT, None)]
    made = points.label(dataset, swapped, "per frame", per_frame=True)
    left, right = swapped[0].masks[:2]
    assert [track.masks for track in made.tracks] == [(left, left, None), (right, right, None)]
    whole = points.label(dataset, swapped, "whole")
    assert left != right and all(track.masks[0] != track.masks[1] for track in whole.tracks)


def test_per_frame_a_proposal_that_is_absent_is_not_sure_of_anything():
    dataset = clicked((None, THERE, None))
    found = [proposal(0.9, BOTH, None, None), proposal(0.1, None, LEFT, None)]
    made = points.label(dataset, found, "any", per_frame=True)
    assert made.tracks[0].masks[1] == found[1].masks[1]


def test_what_finds_nothing_is_left_out():
    dataset = clicked((HERE, None, None), (None, None, None), ((), None, None))
    crowd = replace(dataset.tracks[0], id=1, is_crowd=True)
    dataset = replace(dataset, tracks=(crowd, *dataset.tracks))
    made = points.label(dataset, [proposal(0.9, RIGHT, RIGHT, RIGHT)], "any")
    assert [track.id for track in made.tracks] == [7], (
        "the only proposal goes to who was clicked on"
    )
    assert points.label(dataset, [], "none").tracks == ()
    assert points.label(dataset, [proposal(0.5, None, LEFT, LEFT)], "none").tracks == ()


def test_proposals_of_another_video_or_size_are_named():
    dataset = clicked((HERE, None, None))
    with pytest.raises(DataError, match="video strips: a track has 2 entries for 3 frames"):
        points.label(dataset, [proposal(1, LEFT, LEFT, LEFT), proposal(1, LEFT, LEFT)], "any")
    wrong = PredictedTrack(4, 1, 1.0, (masks.encode(np.ones((2, 3), bool)), None, None))
    with pytest.raises(DataError, match=r"of the sizes \[\(2, 3\)\]. .* of the size \[1, 6\]"):
        points.label(dataset, [wrong], "any")
    with pytest.raises(DataError, match="no such video"):
        points.label(dataset, [replace(wrong, video_id=5)], "any")
    for level in ("mask", "box", "none"):
        with pytest.raises(DataError, match=f'the level "{level}".*Weaken a data set with masks'):
            points.label(weaken(toy.sample("toy-ytvis19", 1), level), [], "any")


def true_proposals(truth, soft=0.8):
    """All true masks of each video as soft masks, and their union as one more."""
    found = []
    for video in truth.videos:
        stack = truth.mask_stack(video.id)
        stack = np.concatenate([stack, stack.any(0, keepdims=True)])
        found += points.as_proposals(stack * soft, video.id, "cited")
    return found


@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize("scheme", [P1N1, P5N5, PointScheme(positive_sampling="distance")])
def test_clicks_on_the_toy_world_find_the_true_masks_among_proposals(scheme, per_frame):
    truth = toy.sample("toy-ytvis19", 3)
    found = true_proposals(truth)
    assert all(track.score == pytest.approx(0.8) for track in found)
    weak = weaken(truth, "point", replace(scheme, negative_sampling="around box"))
    made = points.label(weak, found, "the truth", per_frame)
    several = [video.id for video in truth.videos if len(truth.tracks_of(video.id)) > 1]
    assert several, "else the union is as good"
    assert evaluate(truth.subset(several), made.subset(several)).stats["AP"] == pytest.approx(1)


def test_made_masks_are_written_and_trained_on(tmp_path):
    truth = toy.sample("toy-ytvis19", 2)
    made = points.label(weaken(truth, "point"), true_proposals(truth), "the truth")
    again = ytvis.read(ytvis.write(made, tmp_path / "made.json"))
    assert again.tracks == made.tracks and again.origin == "the truth"
    assert weaken(again, "point") == again, "they cost clicks"
    with pytest.raises(DataError, match='"none" allows less'):
        weaken(again, "none")
    for clip in ClipDataset(made, shorter_sides=(64,)):
        assert clip.masks.flatten(2).any(-1).equal(clip.visible)


def test_a_second_round_starts_from_the_clicks_and_not_from_the_first_round_s_boxes():
    dataset = clicked((HERE, HERE, None))
    first = points.label(dataset, [proposal(0.5, BOTH, BOTH, None)], "first")
    again = points.label(first, [proposal(0.5, LEFT, LEFT, None)], "second")
    assert again.origin == "second, from first"
    assert again.tracks[0].boxes[0] == (0, 0, 2, 1) and again.tracks[0].areas[0] == 2
    direct = points.label(dataset, [proposal(0.5, LEFT, LEFT, None)], "second")
    assert direct.tracks == again.tracks


def test_labels_and_boxes_beside_the_clicks_are_not_read():
    dataset = clicked((HERE, HERE, None))
    beside = replace(dataset.tracks[0], boxes=((0.0, 0.0, 6.0, 1.0),) * 3, areas=(6.0,) * 3)
    found = [proposal(0.5, LEFT, LEFT, None)]
    made = points.label(replace(dataset, tracks=(beside,)), found, "any")
    assert made == points.label(dataset, found, "any")
