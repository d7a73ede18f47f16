"""A run that is cut off, anywhere and however often, ends as one that was not; two are as one."""

import json
import os
import random
import signal
import socket
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from evis.data import files
from evis.data.errors import DataError
from evis.papers.eigencluster import method
from evis.training import checkpoint, engine, train
from evis.training.folder import RECIPE, WEIGHTS
from evis.training.log import read

# Videos and stills, an average of the weights, a scheme that learns: all the state there is.
NAME = "eigencluster.stage2.released"
CHANGES = {"precision": "no", "ema_decay": "0.9", "scheme": "Learnable Pixel Matching"}


def _arguments(folder, save_every=1, name=NAME, **changes):
    pairs = {"name": name, "save_every": save_every, **changes}
    return [str(folder), *(f"{key}={value}" for key, value in pairs.items())]


def _weights(folder):
    return load_file(folder / WEIGHTS)


def _same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def _run(small, folder, recipe=None, method=method, **options):
    options = {"device": "cpu", "threads": 1, "progress": False, "save_every": 1, **options}
    return train(recipe or small.recipe(), small.datasets(), folder, method, **options)


@pytest.fixture(scope="module")
def reference(tmp_path_factory, small):
    """The weights of a run that was never cut off."""
    return _run(small, tmp_path_factory.mktemp("whole")).state_dict()


@pytest.mark.slow
def test_kill_9_in_a_loop_changes_no_bit(tmp_path, small, start_process):
    changes = CHANGES | {"steps": 20}
    whole = start_process(_arguments(tmp_path / "whole", save_every=7, **changes))
    killed, kills = tmp_path / "killed", 0
    moment = random.Random(0)
    while not (killed / WEIGHTS).exists():
        process = start_process(_arguments(killed, save_every=2, **changes))
        log = killed / "log.jsonl"
        reached = len(log.read_text().splitlines()) + moment.randint(1, 3) if log.exists() else 1
        while process.is_alive():
            time.sleep(moment.uniform(0.0, 0.02))  # so that it dies anywhere in a step
            if log.exists() and len(log.read_text().splitlines()) >= reached:
                process.kill()
                kills += 1
                break
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
    whole.join()
    assert kills >= 3
    assert _same(_weights(tmp_path / "whole"), _weights(killed))
    logs = [read(folder) for folder in (tmp_path / "whole", killed)]
    assert [list(log["step"]) for log in logs] == [list(range(20))] * 2
    assert logs[0]["total"].equals(logs[1]["total"])
    process = start_process(_arguments(killed, save_every=2, **changes))
    process.join()
    assert process.exitcode == 0 and not (killed / "checkpoints").exists()


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one(tmp_path, small, start_process):
    """But for rounding: gradients are added in another order.

    Rounding can push one of a million ReLUs over its edge, and then the gradient jumps: in float32
    that happened within five steps under 11 of 24 seeds, in float64 under none of 8.
    """
    port = _free_port()
    changes = CHANGES | {"batch": 4, "steps": 5, "dtype": "float64"}
    processes = [
        start_process(
            _arguments(tmp_path / "two", **changes),
            {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
        )
        for rank in range(2)
    ]
    processes.append(start_process(_arguments(tmp_path / "one", **changes)))
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    for term in ("total", "class", "projection", "pairwise", "temporal", "gradient_norm"):
        assert one[term].to_numpy() == pytest.approx(two[term].to_numpy(), rel=1e-11), term
    assert one["total"].nunique() == 5
    assert not _same(_weights(tmp_path / "one"), _weights(tmp_path / "two")), "was it one process?"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, small, reference):
    folder = _stopped(small, tmp_path / "cut", after=4)
    older, newest = sorted((folder / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        resumed = _run(small, folder).state_dict()
    assert _same(reference, resumed)
    assert list(read(folder)["step"]) == list(range(6))


def test_a_single_bit_of_a_checkpoint_is_noticed(tmp_path, small, reference):
    folder = _stopped(small, tmp_path / "cut", after=4)
    newest = max((folder / "checkpoints").iterdir())
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged .the checksum of"):
        assert _same(reference, _run(small, folder).state_dict())


@pytest.mark.parametrize("state", [{}, {"model": 1}, {"model": {"a": torch.zeros(3)}}, []])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, small, state):
    folder = _stopped(small, tmp_path / "cut", after=3)
    for path in (folder / "checkpoints").iterdir():
        torch.save(state, path)
    with pytest.raises(DataError, match="checkpoints: the checkpoint of step 3 is of something"):
        _run(small, folder)


@pytest.mark.parametrize(
    "line", ["{", "[1]", "{}", '{"step": "one"}', "\xff", '{"step": 1, "total": 1e999}']
)
def test_a_damaged_log_is_named_with_its_line(tmp_path, line):
    (tmp_path / "log.jsonl").write_text(f'{{"step": 0}}\n{line}\n', encoding="latin1")
    with pytest.raises(DataError, match="log.jsonl"):
        read(tmp_path)


@pytest.mark.parametrize("name", [".lock", "log.jsonl"])
def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path, small, name):
    folder = _stopped(small, tmp_path, after=3)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(DataError, match=f"{name}: is a pipe or a device"):
        _run(small, folder)


def test_a_pipe_among_the_checkpoints_is_a_damaged_one(tmp_path, small):
    folder = _stopped(small, tmp_path, after=3) / "checkpoints"
    os.mkfifo(folder / "step-00000099.pt")
    with pytest.warns(UserWarning, match="step-00000099.pt is damaged .*is a pipe or a device"):
        assert checkpoint.latest(folder)[0] == 3


def test_with_all_checkpoints_damaged_it_says_so(tmp_path, small):
    folder = _stopped(small, tmp_path, after=3)
    for path in (folder / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(DataError, match="all checkpoints are damaged"):
        _run(small, folder)


def test_an_interrupt_saves_and_the_next_call_goes_on(tmp_path, small, reference):
    folder = _stopped(small, tmp_path / "cut", after=3, save_every=100)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000003.pt"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert _same(reference, _run(small, folder).state_dict())


def _stopped(small, folder, after, **options):
    """A run with Ctrl-C pressed in the middle of step `after`, counted from 1."""
    pressed = []

    def press_once(terms):
        if not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        _run(small, folder, method=_at_step(small, after - 1, press_once), **options)
    return folder


def _at_step(small, wanted, act):
    """The method, whose loss does something in one step."""
    return small.Watched(lambda terms, _, step: act(terms) if step.number == wanted else None)


def test_a_finished_run_is_not_run_again(tmp_path, small):
    first = _run(small, tmp_path, small.recipe(steps=1)).state_dict()
    written = (tmp_path / WEIGHTS).stat().st_mtime_ns
    never = small.Watched(lambda *_: pytest.fail("a step is made"))
    assert _same(first, _run(small, tmp_path, small.recipe(steps=1), never).state_dict())
    assert (tmp_path / WEIGHTS).stat().st_mtime_ns == written


def test_a_folder_with_another_run_is_left_alone(tmp_path, small):
    _run(small, tmp_path, small.recipe(steps=1))
    with pytest.raises(DataError) as error:
        _run(small, tmp_path, small.recipe(steps=2, **{"settings.beta": 1.0}))
    assert "recipe.steps is 1 there, 2 here" in str(error.value)
    assert "recipe.settings.beta is 0.16 there, 1.0 here" in str(error.value)
    assert "learning_rate" not in str(error.value)
    for foreign in ([["long" * 500] * 500] * 500, {f"key{n}": ["long" * 500] for n in range(5000)}):
        (tmp_path / RECIPE).write_text(json.dumps(foreign))
        with pytest.raises(DataError, match="the folder holds another run") as error:
            _run(small, tmp_path, small.recipe(steps=1))
        assert len(str(error.value)) < 10_000
    (tmp_path / RECIPE).write_text("{")
    with pytest.raises(DataError, match="recipe.json: broken json"):
        _run(small, tmp_path, small.recipe(steps=1))
    (tmp_path / RECIPE).unlink()
    with pytest.raises(DataError, match="holds a run without its recipe.json"):
        _run(small, tmp_path, small.recipe(steps=1))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, small):
    nan = _at_step(small, 2, lambda terms: {"total": terms["total"] * float("nan")})
    with pytest.raises(DataError) as error:
        _run(small, tmp_path, method=nan)
    text = str(error.value)
    assert "step 2: the loss is NaN or infinite" in text and "learning rate" in text
    assert error.value.video in "1234" and "," in error.value.frame
    assert not (tmp_path / WEIGHTS).exists()
    step, state = checkpoint.latest(tmp_path / "checkpoints")
    assert step == 2 and all(value.isfinite().all() for value in state["model"].values())


def test_predictions_that_are_not_finite_are_told_from_the_loss(tmp_path, small):
    with pytest.raises(DataError, match="step 1: video .*logits hold NaN.*Lower the learning"):
        _run(small, tmp_path, small.recipe(learning_rate=1e30, warm_up_steps=0))


def test_gradients_that_are_not_finite_stop_the_run(tmp_path, small):
    """The square root of nothing has a value and no slope."""
    steep = _at_step(small, 1, lambda terms: {"total": (terms["total"] * 0).sqrt()})
    with pytest.raises(DataError, match="step 1: the gradient is NaN or infinite"):
        _run(small, tmp_path, method=steep)


def test_gradients_that_no_scale_of_fp16_makes_finite_stop_the_run(tmp_path, small, monkeypatch):
    """On a CPU with fp16's scaler alone: the first steps are skipped, each at half the scale."""
    made = engine._accelerator

    def scaled(*arguments):
        accelerator = made(*arguments)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
        return accelerator

    monkeypatch.setattr(engine, "_accelerator", scaled)
    steep = small.Watched(lambda terms, *_: {"total": (terms["total"] * 0).sqrt()})
    with pytest.raises(DataError, match="step 2: the gradient is NaN or infinite"):
        _run(small, tmp_path, method=steep)
    assert list(read(tmp_path)["gradient_norm"].isna()) == [True, True]
    _, first = checkpoint.latest(tmp_path / "checkpoints")
    assert first["scaler"]["scale"] == 0.5


def test_out_of_memory_says_what_to_change(tmp_path, small):
    def full(terms):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 4.00 GiB.")

    with pytest.raises(DataError, match="step 1: out of memory. Lower micro_batch"):
        _run(small, tmp_path, method=_at_step(small, 1, full))


def test_out_of_memory_as_clips_are_read_says_what_to_change(tmp_path, small):
    def full(video, frame):
        raise MemoryError

    datasets = {name: replace(it, read_frame=full) for name, it in small.datasets().items()}
    options = {"device": "cpu", "threads": 1, "progress": False}
    with pytest.raises(DataError, match="^field step 0: out of memory. Lower micro_batch"):
        train(small.recipe(), datasets, tmp_path, method, **options)


def test_other_errors_stay_what_they_are(tmp_path, small):
    def fail(terms):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        _run(small, tmp_path, method=_at_step(small, 1, fail))


def test_a_crash_while_writing_leaves_the_last_checkpoint(tmp_path, small, monkeypatch, reference):
    real, folder = files.os.replace, tmp_path / "cut"

    def killed(source, target):
        if "step-00000004" in str(target):
            raise KeyboardInterrupt  # between writing and renaming
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            _run(small, folder)
    assert checkpoint.latest(folder / "checkpoints")[0] == 3
    assert _same(reference, _run(small, folder).state_dict())


def test_the_log_after_a_crash_within_a_line(tmp_path, small):
    folder = _stopped(small, tmp_path, after=4)
    with open(folder / "log.jsonl", "a") as log:
        log.write('{"step":4,"total":1.0}\n{"step":5,"to')
    _run(small, folder)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(6))
    assert lines[4]["total"] != 1.0


def test_what_a_killed_writer_left_is_no_checkpoint_and_goes_with_them(tmp_path, small):
    folder = _stopped(small, tmp_path, after=1) / "checkpoints"
    (folder / ".step-00000002.tmp.pt").write_bytes(b"half a file")
    assert checkpoint.latest(folder)[0] == 1
    _run(small, tmp_path)
    assert not folder.exists()


def test_a_checkpoint_runs_nothing_and_its_mode_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        checkpoint.save(tmp_path, 1, {"model": {}})
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o640
    sign = tmp_path / "sign"
    torch.save({"model": {}, "callback": Hostile(sign)}, path)
    with pytest.warns(UserWarning), pytest.raises(DataError, match="all checkpoints are damaged"):
        checkpoint.latest(tmp_path)
    assert not sign.exists()
    torch.load(path, weights_only=False)
    assert sign.exists()  # so the test would have noticed


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)
