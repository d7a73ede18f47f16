"""Whether better links could win: planted queries that keep their numbers, or change places."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from evis.companion import store
from evis.companion.held_out import OF_SET, TEST
from evis.data import provenance, toy
from evis.papers.uvis import claims, linking


@dataclass
class Seen:
    embeddings: torch.Tensor  # (T, Q, C)
    mask_logits: torch.Tensor  # (T, Q, 1, h, w)


class Planted(nn.Module):
    """One query shows all true objects, the others nothing; in odd frames two may change places,
    and their embeddings with them or not.
    """

    def __init__(self, dataset, swaps: bool, told: bool = True):
        super().__init__()
        self.dataset, self.swaps, self.told = dataset, swaps, told
        self.videos = iter(dataset.videos)

    def forward(self, frames):
        video = next(self.videos)
        assert frames.shape == (video.length, 1, 3, video.height, video.width)
        shown = torch.from_numpy(self.dataset.mask_stack(video.id).any(0)).float()
        masks = torch.stack([shown, torch.zeros_like(shown), torch.zeros_like(shown)], 1) - 0.5
        embeddings = torch.eye(3).repeat(video.length, 1, 1)
        if self.swaps:
            masks[1::2] = masks[1::2, [1, 0, 2]]
        if self.swaps and self.told:
            embeddings[1::2] = embeddings[1::2, [1, 0, 2]]
        return Seen(embeddings, masks[:, :, None])


@pytest.fixture
def alone():
    """Videos of one object each."""
    given = toy.sample("toy-ytvis19", 6)
    first = [given.tracks_of(video.id)[0] for video in given.videos if given.tracks_of(video.id)]
    dataset = replace(given, tracks=tuple(first))
    return dataset.subset([track.video_id for track in first])


def test_queries_that_keep_their_numbers_need_no_links(alone):
    table = linking.by_video(Planted(alone, swaps=False), alone, progress=False)
    assert (table[["moved", "otherwise"]] == 0).all(axis=None)
    assert np.allclose(table[[*linking.WAYS, linking.BEST]], 1)
    assert table["links"].tolist() == [3 * (video.length - 1) for video in alone.videos]


def test_queries_that_change_places_need_them(alone):
    table = linking.by_video(Planted(alone, swaps=True), alone, progress=False)
    frames = np.array([video.length for video in alone.videos])
    assert table["moved"].tolist() == (2 * (frames // 2)).tolist()
    assert np.allclose(table[["MinVIS", "memory", linking.BEST]], 1)
    assert (table["unlinked"] < 0.8).all()


def test_where_minvis_errs_all_that_it_lost_can_be_won(alone):
    table = linking.by_video(Planted(alone, swaps=True, told=False), alone, progress=False)
    assert (table["MinVIS"] == table["unlinked"]).all() and (table["MinVIS"] < 0.8).all()
    assert np.allclose(table[linking.BEST], 1)


def test_the_best_links_are_those_of_all_that_there_are():
    """By brute force: four frames of three queries; one object is gone for two frames."""
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        true = torch.rand((2, 4, 3, 3), generator=random) < 0.5
        true[1, 2:] = False
        masks = torch.rand((4, 3, 3, 3), generator=random) < 0.5
        wanted = [
            max(iou_of(own, masks, order) for order in itertools.product(range(3), repeat=4))
            for own in true
        ]
        assert linking.best_ious(true, masks).tolist() == pytest.approx(wanted)
    assert linking.best_ious(true[:0], masks).shape == (0,)
    assert linking.best_ious(true & False, masks & False).tolist() == [0, 0]


def iou_of(true, masks, order):
    """Of an object (T, h, w) with the track of these queries, one a frame."""
    own = masks[range(len(order)), order]
    return float((own & true).sum() / (own | true).sum())


def stored(folder, network, test, best):
    """A row of the control in which the best links have this mIoU, on a shelf."""
    recipe, dataset, seed = linking._key(network, test)
    metrics = {f"mIoU, {way}": 0.5 for way in linking.WAYS} | {f"mIoU, {linking.BEST}": best}
    row = store.ResultRow(
        recipe, dataset, seed, metrics, None, None, provenance.versions(), {}, 0.0, ""
    )
    store.save(row, folder / "results")


ON_LINKING = {
    "M3": ("UVIS", "test"),
    "M4": ("UVIS", "ovis"),
    "T2-6": ("UVIS", "test"),
    "T4-1": ("UVIS", "test"),
    "T4-2": ("UVIS", "ovis"),
    "T4-3": ("MinVIS", "test"),
    "T4-4": ("MinVIS", "ovis"),
}


def test_claims_on_linking_are_judged_where_links_could_win_and_nowhere_else(tmp_path):
    own = {claim.id: claim for claim in claims.CLAIMS}
    on_linking = {name for name, c in own.items() if any(map(claims.is_on_linking, c.tests))}
    assert on_linking == set(ON_LINKING)
    for test in (TEST, OF_SET["toy-ovis"]):
        stored(tmp_path, "UVIS", test, 0.503 if test == TEST else 0.505)
        stored(tmp_path, "MinVIS", test, 0.505)
    for name, claim in own.items():
        controlled = claims.controlled(claim, tmp_path)
        if ON_LINKING.get(name) == ("UVIS", "test"):
            assert "no question in toy-ytvis19" in controlled.untestable
            assert "would win 0.30 mIoU, less than 0.4" in controlled.untestable
            assert replace(controlled, untestable="") == claim
        else:
            assert controlled == claim
    judged = claims.verdicts(tmp_path).set_index("id")
    assert set(judged.loc[["M3", "T4-1"], "verdict"]) == {"not testable here"}
    assert set(judged.loc[["M4", "T4-3"], "verdict"]) == {"not measured yet"}


def test_without_the_control_no_claim_on_linking_is_judged(tmp_path):
    for claim in claims.CLAIMS:
        words = claims.controlled(claim, tmp_path).untestable
        assert ("is not measured yet" in words) == (claim.id in ON_LINKING)


@pytest.mark.parametrize("network", linking.WEIGHTS)
@pytest.mark.parametrize("on", OF_SET)
def test_the_control_is_stored_of_every_set(on, network):
    row = linking.find(network, OF_SET[on])
    assert len(row.per_video) == OF_SET[on].videos and row.metrics["links"] > 1
    assert 0 < linking.headroom(row) < 100
    assert bool(linking.no_question(network, OF_SET[on])) == (linking.headroom(row) < 0.4)
