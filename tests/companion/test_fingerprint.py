"""A fingerprint is the same again, and another where the arithmetic is."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from evis.companion import fingerprint as module
from evis.companion.fingerprint import fingerprint
from evis.papers.eigencluster import method
from evis.papers.eigencluster.recipes import named, toy
from evis.training import changed

SMALL = {"model": "tiny_s", "batch": 2, "micro_batch": 2}
STAGE = changed(toy(named("eigencluster.stage2")), SMALL)
FIRST = fingerprint([STAGE], method)


def fresh(stages):
    module._weights.cache_clear()
    return fingerprint(stages, method)


def test_it_is_the_same_again_whatever_the_seed_and_the_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert fresh([replace(STAGE, seed=3, name="another")]) == FIRST
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "changes", [{"scheme": "3D pairwise"}, {"settings.beta": 0.2}, {"batch": 4}]
)
def test_it_is_another_for_another_computation(changes):
    stage = changed(STAGE, {"settings.warm_up_steps": 0})
    assert fingerprint([changed(stage, changes)], method) != fingerprint([stage], method)
    assert fingerprint([stage, stage], method) != fingerprint([stage], method)


def test_it_sees_a_rounding_in_the_loss():
    class Rounded:
        build = staticmethod(method.build)

        def loss(self, recipe):
            real = method.loss(recipe)

            def loss(*given):
                terms = real(*given)
                return terms | {"total": terms["total"] * (1 + 2e-7)}  # the last bits

            return loss

    assert fingerprint([STAGE], Rounded()) != FIRST


@pytest.mark.slow
def test_it_sees_the_instructions_that_the_processor_computes_with():
    plain = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("this processor has the plain instructions alone")
    code = (
        "from evis.companion.fingerprint import fingerprint\n"
        "from evis.papers.eigencluster import method\n"
        "from evis.papers.eigencluster.recipes import named, toy\n"
        "from evis.training import changed\n"
        f"stage = changed(toy(named('eigencluster.stage2')), {SMALL})\n"
        "print(fingerprint([stage], method))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | plain,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.strip()) == 12 and done.stdout.strip() != FIRST


@pytest.mark.slow
def test_a_stage_of_boxes_gets_masks_where_it_learns_from_made_ones():
    from evis.data.errors import DataError
    from evis.papers.pmvis import method as pmvis
    from evis.papers.pmvis import recipes

    stage = changed(recipes.toy(recipes.named("pmvis")), {"batch": 1, "micro_batch": 1})
    with pytest.raises(DataError, match="its objects have no masks"):
        fingerprint([stage], pmvis)
    assert len(fingerprint([stage], pmvis, labelled=[stage.name])) == 12
