"""What claims build on: which comparison has which control, and none is judged where it fails."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evis.companion import claims as ledger
from evis.companion import paired, store
from evis.data import toy
from evis.data.masks import encode
from evis.labels.videos import Cuts, make
from evis.papers.flowcut import control
from evis.papers.flowcut.claims import CLAIMS, QUESTIONS, judged

BY_ID = {claim.id: claim for claim in (*CLAIMS, *QUESTIONS)}
UNITS = 6


def rows(units=UNITS, **means):
    """A `Table` of six units of every row in every metric: a mean, and noise of all alike."""
    noise = np.linspace(-0.5, 0.5, UNITS)

    def table(size, held_out):
        lines = [
            {"row": row, "seed": seed, "first": seed}
            | dict.fromkeys(held_out.scoring.metrics, mean + noise[seed] + 0.1 * noise[-seed])
            for row, mean in means.items()
            for seed in range(units)
        ]
        return pd.DataFrame(lines)

    return table


@pytest.fixture
def flow_works(monkeypatch):
    """Sets the second control's gain, the same in every video but for a little; None: no row."""

    def works(gain):
        values = None if gain is None else [gain + 0.1 * n for n in range(UNITS)]
        row = values and type("Row", (), {"per_video": values})
        monkeypatch.setattr(store, "find", lambda *key: row)

    return works


ALL = {
    "CutLER": 20.0,
    "VideoCutLER": 25.0,
    "FlowCut, 2021": 30.0,
    "FlowCut, 2021, no flow": 27.0,
    "FlowCut, 2019": 29.0,
    "FlowCut, 2019, no flow": 26.0,
    "FlowCut, stills": 32.0,
    "no curation": 28.0,
}


ON_CLIPS = {f"T1-{n}" for n in (1, 2, 3, 4, 8)} | {f"T2-{n}" for n in (1, 2, 3, 6)}
ON_CLIPS |= {f"T3-{n}" for n in (1, 2, 3, 7)}


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.tests], ids=lambda claim: claim.id)
def test_a_claim_is_judged_where_its_control_holds_and_only_there(claim, flow_works):
    on_flow = claim.id[:3] in ("T4-", "T5-") and claim.id not in ("T4-3", "T5-3")
    on_clips = {test.right.row for test in claim.tests} == {"VideoCutLER"}
    assert on_clips == (claim.id in ON_CLIPS)
    flow_works(5.0)
    assert judged(claim, rows(**ALL)) is claim
    fails = judged(claim, rows(**ALL | {"VideoCutLER": 18.0}))
    if not on_clips:
        assert fails is claim
    else:
        assert fails.untestable.startswith("not judged for its control: VideoCutLER − CutLER, ")
        assert fails.untestable.endswith("contradicted") and not claim.untestable
        assert fails == replace(claim, untestable=fails.untestable)
    for gain, verdict in ((-5.0, "contradicted"), (-0.2, "can't tell"), (None, "not measured yet")):
        flow_works(gain)
        fails = judged(claim, rows(**ALL))
        assert (fails is claim) != on_flow
        assert not on_flow or fails.untestable.endswith(verdict)


def test_a_control_is_of_the_claims_metric_and_videos_or_of_what_is_learnt_from(flow_works):
    (test,) = BY_ID["T1-3"].tests
    assert control.of(test, rows(**ALL)).compared == (
        "VideoCutLER − CutLER, motion J&F, toy-davis, tiny_s"
    )
    flow_works(None)
    for name, on in {"T4-1": "19", "T4-2": "21", "T5-1": "19", "T5-2": "21"}.items():
        (test,) = BY_ID[name].tests
        assert f", toy-ytvis{on}, videos as units" in control.of(test, rows(**ALL)).compared


def test_what_waits_for_its_own_rows_says_so_and_a_verdict_follows_the_rows(flow_works):
    flow_works(5.0)
    claim = BY_ID["T2-3"]
    lacking = rows(**{name: mean for name, mean in ALL.items() if name != "FlowCut, 2021"})
    (line,) = ledger.verdicts([judged(claim, lacking)], lacking).to_dict("records")
    assert line["verdict"] == ledger.UNMEASURED
    for better, verdict in ((True, ledger.HOLDS), (False, ledger.UNTESTABLE)):
        table = rows(**ALL | {"VideoCutLER": 25.0 if better else 18.0})
        (line,) = ledger.verdicts([judged(claim, table)], table).to_dict("records")
        assert line["verdict"] == verdict


def test_a_control_of_too_few_units_withholds_nothing(flow_works):
    """One unit of the control that goes the wrong way, and one of the claim."""
    flow_works(5.0)
    one = rows(units=1, **ALL | {"VideoCutLER": 18.0})
    (line,) = ledger.verdicts([judged(BY_ID["T2-3"], one)], one).to_dict("records")
    assert line["verdict"] == ledger.CANNOT_TELL and line["compared"].endswith("decide nothing")


def test_moving_objects_are_counted_by_video_and_frame():
    """Labels that are the truth have all; none have none; of half of the frames, half."""
    videos = toy.sample("toy-ytvis19", 6)
    every = {track.id for track in videos.tracks}
    shares = control.of_moving(videos, videos, every)
    assert 0 < len(shares) <= 6 and set(shares) == {100.0}
    assert set(control.of_moving(videos, replace(videos, tracks=()), every)) == {0.0}
    first = videos.tracks[0]
    alone = replace(videos, tracks=(first,))
    assert control.of_moving(videos, alone, {first.id}) == [100.0]
    assert control.of_moving(videos, alone, every - {first.id}).count(100.0) == 0
    speck = encode(np.eye(*videos.frame(1, 0).shape[:2], dtype=bool))
    spoilt = tuple(
        replace(t, masks=tuple(m and (speck if n % 2 else m) for n, m in enumerate(t.masks)))
        for t in videos.tracks
    )
    half = control.of_moving(videos, replace(videos, tracks=spoilt), every)
    assert all(30 < share < 70 for share in half) and len(half) == len(shares)


def test_a_row_of_the_control_is_found_and_is_of_its_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "VIDEOS", 1)
    monkeypatch.setattr(control, "Cuts", lambda alpha: Cuts(alpha=alpha, outlined=False))
    assert not control.of_flow("toy-ytvis19", tmp_path).difference.seeds
    row = control.measure("toy-ytvis19", tmp_path)
    again = control.of_flow("toy-ytvis19", tmp_path)
    assert again.difference == paired.Difference(tuple(row.per_video)) and not again.holds
    videos = toy.sample("toy-ytvis19", 1)
    fast = {number for number, speed in toy.speeds("toy-ytvis19", 1).items() if speed > 0.006}
    assert 0 < len(fast) < len(videos.tracks)
    made = [
        make(videos, Cuts(alpha=alpha, outlined=False), progress=False) for alpha in (0.75, 1.0)
    ]
    wanted = [control.of_moving(videos, labels, fast) for labels in made]
    assert row.per_video == np.subtract(*wanted).tolist() and row.per_video


@pytest.mark.parametrize("on", ["toy-ytvis19", "toy-ytvis21"])
def test_the_control_of_flow_is_stored_with_units_enough(on):
    found = control.of_flow(on)
    assert found.difference.seeds >= paired.LEAST_SEEDS and found.verdict != ledger.UNMEASURED
