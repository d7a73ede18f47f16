"""What counts a step's operations and waits, what it counts, and `gpu-check` on small things."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.fixture
def operations(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import operations

    return operations


def gpu_check(*options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "benchmarks/gpu_check.py", *options]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)


def test_reads_and_moves_of_what_lies_there_are_waits(operations):
    model, device = torch.nn.Linear(2, 2), torch.device("cpu")
    with operations.Counted(model) as counted:
        there = model(torch.ones(3, 2))
        moved = torch.ones(2).to(device)
        torch.ones(2).to(device, non_blocking=True)
        assert not counted.waits["nonzero"]
        there.nonzero(), there.cpu(), there[there > 0], moved.sum().item(), there.sum().tolist()
        there.cpu().sum().item(), torch.ones(3).nonzero(), torch.ones(2).tolist()
    waits = {"to": 1, "nonzero": 1, "cpu": 2, "index": 1, "_local_scalar_dense": 1, "tolist": 1}
    assert +counted.waits == waits
    assert counted.operations["addmm"] == 1 and counted.operations.total() > counted.views > 0


@pytest.mark.slow
def test_a_step_of_stage_three_launches_little_and_seldom_waits(operations):
    counted = operations.steps("r50", (64, 112))[-1]
    assert 1000 < counted.operations.total() - counted.views <= operations.OPERATIONS
    assert 2 < counted.waits.total() <= operations.WAITS


def test_without_a_gpu_gpu_check_says_so():
    done = gpu_check()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gpu-check needs a CUDA device, and torch sees none here\n"


@pytest.mark.slow
def test_gpu_check_runs_to_its_end_on_small_things():
    done = gpu_check("--tiny", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    parts = [line for line in lines if not line.startswith(" ")]
    assert parts == [
        "parity with the CPU",
        "step, float32",
        "step, bf16",
        "video, tiny_s",
        "video, tiny",
        "toy stage one",
        "three stages",
    ]
    numbers = {line[:36].strip(): float(line[36:]) for line in lines if line.startswith(" ")}
    assert numbers["a step's terms"] == numbers["runs apart, in a fixed order"] == 0
    assert min(numbers[name] for name in ("whole", "backward", "predict", "step")) > 0
