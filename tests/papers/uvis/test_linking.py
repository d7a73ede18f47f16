"""Whether linking is a question: planted queries that keep their numbers, or change places."""

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
    """One query shows all true objects, the others nothing; in odd frames two may change places."""

    def __init__(self, dataset, swaps: bool):
        super().__init__()
        self.dataset, self.swaps, self.videos = dataset, swaps, iter(dataset.videos)

    def forward(self, frames):
        video = next(self.videos)
        assert frames.shape == (video.length, 1, 3, video.height, video.width)
        shown = torch.from_numpy(self.dataset.mask_stack(video.id).any(0)).float()
        masks = torch.stack([shown, torch.zeros_like(shown), torch.zeros_like(shown)], 1) - 0.5
        embeddings = torch.eye(3).repeat(video.length, 1, 1)
        if self.swaps:
            masks[1::2] = masks[1::2, [1, 0, 2]]
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
    assert np.allclose(table[list(linking.WAYS)], 1)
    assert table["links"].tolist() == [3 * (video.length - 1) for video in alone.videos]


def test_queries_that_change_places_need_them(alone):
    table = linking.by_video(Planted(alone, swaps=True), alone, progress=False)
    frames = np.array([video.length for video in alone.videos])
    assert table["moved"].tolist() == (2 * (frames // 2)).tolist()
    assert np.allclose(table[["MinVIS", "memory"]], 1) and (table["unlinked"] < 0.8).all()


def stored(folder, test, gains):
    """A row of the control with these gains, on a shelf."""
    recipe, dataset, seed = linking._key(test)
    metrics = {"to another query": 0.01} | {f"mIoU, {way}": 0.5 for way in linking.WAYS}
    row = store.ResultRow(
        recipe, dataset, seed, metrics, None, None, provenance.versions(), {}, 0.0, "", gains
    )
    store.save(row, folder / "results")


ON_LINKING = {"M3": "test", "M4": "ovis", "T2-6": "test", "T4-1": "test", "T4-2": "ovis"}
ON_LINKING |= {"T4-3": "test", "T4-4": "ovis"}


def test_claims_on_linking_are_judged_where_it_is_a_question_and_nowhere_else(tmp_path):
    own = {claim.id: claim for claim in claims.CLAIMS}
    on_linking = {name for name, c in own.items() if any(map(claims.is_on_linking, c.tests))}
    assert on_linking == set(ON_LINKING)
    stored(tmp_path, TEST, [0.0] * 59 + [-0.2])
    stored(tmp_path, OF_SET["toy-ovis"], [0.1, 0.2, None] * 20)
    for name, claim in own.items():
        controlled = claims.controlled(claim, tmp_path)
        if ON_LINKING.get(name) == "test":
            assert "no question in toy-ytvis19" in controlled.untestable
            assert replace(controlled, untestable="") == claim
        else:
            assert controlled == claim
    judged = claims.verdicts(tmp_path).set_index("id")
    assert set(judged.loc[["M3", "T4-1"], "verdict"]) == {"not testable here"}
    assert judged.loc["M4", "verdict"] == "not measured yet"


def test_without_the_control_no_claim_on_linking_is_judged(tmp_path):
    (claim,) = (claim for claim in claims.CLAIMS if claim.id == "M4")
    assert "not measured" in claims.controlled(claim, tmp_path).untestable


def test_the_control_of_every_claim_is_stored():
    for on in ("toy-ytvis19", "toy-ovis"):
        row = linking.find(OF_SET[on])
        assert len(row.per_video) == OF_SET[on].videos
        assert 0 <= row.metrics["to another query"] <= 1 < row.metrics["links"]
