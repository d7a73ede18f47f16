"""Rows of a training log are its means, and factors where there is something to divide by."""

import json
from dataclasses import replace

import pytest

from evis.companion import measured
from evis.papers.eigencluster import experiments, training_terms
from evis.training import changed


def test_terms_are_means_of_the_log_and_factors_are_after_warm_up(tmp_path, monkeypatch):
    """A log by hand: warm-up to step 4; TK 0 has no factor; step 0 has no weight yet."""
    run = experiments.group("comparison", "tiny_s")[experiments.BOTH].seeded(0)
    changes = {"settings.warm_up_steps": 4, "settings.temporal_factor": 0.5}
    run = replace(run, stages=(*run.stages[:-1], changed(run.stages[-1], changes)))
    lines = [  # step, TK, the weighted temporal term, Q
        (0, 1.0, 0.0, 1.0),
        (2, 2.0, 2.0 * 0.25 * 3, 2.0),  # a factor of 3, half warmed up
        (4, 2.0, 2.0 * 0.5 * 5, 3.0),
        (8, 1.0, 1.0 * 0.5 * 13, 4.0),
        (9, 0.0, 0.0, 5.0),
    ]
    names = ("step", "tk", "temporal", "qcc")
    log = [dict(zip(names, line, strict=True)) | {"tel": 1.0, "total": 2.0} for line in lines]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    monkeypatch.setattr(measured, "trained", lambda *_, **__: tmp_path / "weights.safetensors")
    found = training_terms.row(run, tmp_path, progress=False).metrics
    assert found["TEL factor, median"] == pytest.approx(5)
    assert found["TEL factor, mean"] == pytest.approx(7)
    assert (found["Q, mean"], found["Q, last"]) == pytest.approx((3, 4))
    assert found["tk"] == pytest.approx(1.2) and "pairwise" not in found
