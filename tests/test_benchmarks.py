"""What counts a step's operations and waits, what it counts, and `gpu-check` on small things."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evis.companion import gpu, store
from evis.training import checkpoint

ROOT = Path(__file__).parents[1]


@pytest.fixture
def operations(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import operations

    return operations


@pytest.mark.slow
def test_what_torture_damages_is_read_while_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import damaged

    known = damaged.originals(tmp_path / "files")
    monkeypatch.setattr(damaged, "_PIPES", 0)
    monkeypatch.setattr(damaged, "damaged", lambda content, random: content)
    outcomes = {kind: damaged.tried(kind, 0, known, tmp_path / "file") for kind in known}
    assert outcomes == dict.fromkeys(known, "read")
    assert outcomes.keys() >= {"picture", "jpg", "webp", "tif", "bmp", "film", "zip", "clicks"}


def gpu_check(*options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "benchmarks/gpu_check.py", *options]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)


def test_numbers_of_a_benchmark_become_a_row_where_that_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import command

    monkeypatch.setattr(store.paths, "results", lambda: tmp_path)
    recipe, ran = {"name": "benchmark of nothing"}, []
    for given, rows in ([], []), (["--store"], [{"s": 2.0}]):
        options = command.parser_of("What it is for.\n\nHow it is done.").parse_args(given)
        command.finish(options, recipe, "nothing", lambda: ran.append(1) or {"s": float(len(ran))})
        assert [row.metrics for row in store.rows()] == rows
    assert store.find(recipe, "nothing", 0) and len(ran) == 2


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
    first, counted = operations.steps("r50", (64, 112))
    assert 1000 < counted.operations.total() - counted.views <= operations.OPERATIONS
    assert 2 < counted.waits.total() <= operations.WAITS
    assert +first.waits == +counted.waits  # sizes that were not seen before cost no wait


@pytest.mark.slow
def test_small_numbers_and_those_of_a_cpu_are_not_stored():
    done = gpu_check("--tiny", "--device", "cpu", "--store")
    assert done.returncode == 2
    assert done.stderr.endswith("error: only numbers of a GPU at full size are stored\n")


@pytest.mark.slow
def test_without_a_gpu_gpu_check_says_so():
    done = gpu_check()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gpu-check needs a CUDA device, and torch sees none here\n"


@pytest.mark.slow
def test_gpu_check_fails_where_a_run_begins_anew_in_place_of_going_on(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_check as program
    from gpu_times import tiny

    monkeypatch.setattr(checkpoint, "restore", lambda *_: 0)
    with pytest.raises(RuntimeError, match="eigencluster.stage1 was not resumed where it was cut"):
        program.three_stages(tiny(torch.device("cpu")), tmp_path)


@pytest.mark.slow
def test_gpu_check_runs_to_its_end_on_small_things():
    done = gpu_check("--tiny", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    found, part = {}, ""
    for line in done.stdout.partition("wanted, of a GPU at full size\n")[0].splitlines():
        if line.startswith(" "):
            found[f"{part}: {line[:36].strip()}"] = float(line[36:])
        else:
            part = line.partition(" (")[0]
    assert list(dict.fromkeys(name.partition(": ")[0] for name in found)) == [
        "parity with the CPU",
        "step, float32",
        "step, bf16",
        "parts of the loss",
        "video, tiny_s",
        "video, tiny",
        "toy stage one",
        "three stages",
        "all of it",
    ]
    same = [name for name in found if name.startswith("parity")]
    same += ["toy stage one: runs apart, in a fixed order"]
    assert [found[name] for name in same] == [0, 0, 0]
    times = ("whole", "backward", "predict", "step", "TEL of all layers, forward")
    assert min(found[name] for name in found if name.partition(": ")[2] in times) > 0
    wanted = done.stdout.partition("wanted, of a GPU at full size\n")[2].splitlines()
    assert len(wanted) == len(gpu.WANTED)
    assert all(line.endswith("not measured") for line in wanted)
    small = {"video, r50": "video, tiny_s", "video, swin_l": "video, tiny"}
    read = {name for limit in gpu.WANTED.values() for name in (limit.metric, limit.per) if name}
    read = {
        small.get(part, part) + mark + rest
        for part, mark, rest in (n.partition(": ") for n in read)
    }
    profiled = {f"step, float32: {name}" for name in ("kernels", "launches", "waits")}
    assert read - found.keys() == profiled  # what only a GPU's profile tells
