"""Training as a process of its own: its command, its progress, its end; what it needs."""

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from evis.cli import train as cli_train
from evis.data import toy
from evis.data.errors import DataError
from evis.training import launch, named, ready

STAGES = [named(f"eigencluster.stage{number}") for number in (1, 2, 3)]


def _parsed(command):
    parser = argparse.ArgumentParser()
    cli_train.add(parser.add_subparsers())
    return parser.parse_args(command[command.index("evis") + 1 :])


def test_the_command_is_one_that_evis_train_takes():
    command = launch.command(
        "eigencluster.stage2",
        "out",
        {"youtube-vis-2019": "/data/y"},
        "one.pth",
        processes=4,
        backbone="r101",
        changes={"lr": 3e-5, "frames": 2},
        options=("--workers", "4"),
    )
    options = _parsed(command)
    assert (options.recipe, options.folder, options.model) == (
        "eigencluster.stage2",
        Path("out"),
        Path("one.pth"),
    )
    assert (options.backbone, options.scale, options.workers) == ("r101", "full", 4)
    assert options.data == [("youtube-vis-2019", "/data/y")]
    assert dict(options.changes) == {"lr": "3e-05", "frames": "2"}
    before = command[: command.index("evis")]
    assert before[0] == sys.executable and before[-3:] == ["--nproc-per-node", "4", "-m"]
    assert launch.command("maskfree", "out", {})[:3] == [sys.executable, "-m", "evis"]


def test_each_stage_starts_from_what_the_one_before_it_trained():
    commands = launch.stages(STAGES, Path("data"), Path("out"), Path("R-50.pkl"), "r50", gpus=6)
    parsed = [_parsed(command) for command in commands.values()]
    assert [options.recipe for options in parsed] == [stage.name for stage in STAGES]
    assert [options.model for options in parsed] == [
        Path("R-50.pkl"),
        Path("out/eigencluster.stage1/weights.safetensors"),
        Path("out/eigencluster.stage2/weights.safetensors"),
    ]
    assert [dict(options.data) for options in parsed] == [
        {"coco-2017": "data/coco-2017"},
        {"youtube-vis-2019": "data/youtube-vis-2019"},
        {"youtube-vis-2019": "data/youtube-vis-2019"},
    ]
    counts = [
        c[c.index("--nproc-per-node") + 1] if "--standalone" in c else "1"
        for c in commands.values()
    ]
    assert counts == ["4", "4", "1"]  # of six: eight micro-batches, eight, and one


def _script(tmp_path, text):
    path = tmp_path / "script.py"
    log = tmp_path / "log.jsonl"
    path.write_text(f"import json, signal, sys, time\nlog = open({str(log)!r}, 'a')\n{text}")
    return [sys.executable, str(path)]


def test_progress_is_what_the_log_says(tmp_path, monkeypatch):
    bars = []

    class Bar(launch.tqdm):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            bars.append(self)

    monkeypatch.setattr(launch, "tqdm", Bar)
    text = (
        "for step in range(5):\n"
        "    log.write(json.dumps({'step': step, 'total': 9.0 - step}) + '\\n')\n"
        "log.write('{\"step\": 5, \"tot'); print('done')\n"
    )
    launch.run(_script(tmp_path, text), tmp_path, 5, "stage")
    assert (bars[0].n, bars[0].total, bars[0].postfix) == (5, 5, "total=5.000")
    assert (tmp_path / launch.OUTPUT).read_text() == "done\n"


def test_a_failure_shows_the_end_of_what_it_printed(tmp_path):
    text = "print('a' * 9); print('out of memory', file=sys.stderr); sys.exit(2)"
    with pytest.raises(DataError, match="exit status 2(.|\n)*It says:\n(.|\n)*out of memory"):
        launch.run(_script(tmp_path, text), tmp_path, 5, "stage", progress=False)


def test_an_interrupt_is_passed_on_and_waited_for(tmp_path):
    text = (
        "def stop(*_):\n"
        "    time.sleep(0.3); open(sys.argv[0] + '.saved', 'w').close(); sys.exit(130)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        'log.write(\'{"step": 0, "total": 1.0}\\n\'); log.flush(); time.sleep(60)\n'
    )
    main = threading.main_thread().ident

    def press():
        while not (tmp_path / "log.jsonl").exists() or not (tmp_path / "log.jsonl").read_text():
            time.sleep(0.02)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        launch.run(_script(tmp_path, text), tmp_path, 5, "stage", progress=False)
    thread.join()
    assert (tmp_path / "script.py.saved").exists()


def test_the_last_whole_line_of_a_long_log(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    assert launch._last(path) is None
    path.write_text('{"step": 0')
    assert launch._last(path) is None
    monkeypatch.setattr(launch, "_TAIL", 100)
    lines = [json.dumps({"step": step, "total": 1.0}) for step in range(50)]
    path.write_text("\n".join([*lines, '{"step": 50']))
    assert launch._last(path)["step"] == 49


def test_all_that_is_lacking_on_a_laptop(tmp_path):
    found = ready.lacking(STAGES, tmp_path)
    assert [line.split(",")[0].split(":")[0] for line in found] == [
        "COCO 2017 (for stage one and for pseudo clips)",
        "YouTube-VIS 2019",
        "Weights to start eigencluster.stage1 from",
        "A GPU",
    ]
    assert "train.json and train/JPEGImages" in found[1] and "youtube-vos.org" in found[1]


def test_what_is_there_is_not_asked_for(tmp_path):
    toy.build("toy-coco", tmp_path / "coco-2017", videos=2, progress=False)
    toy.build("toy-ytvis19", tmp_path / "youtube-vis-2019", videos=1, progress=False)
    (tmp_path / "R-50.pkl").touch()
    assert ready.lacking(STAGES, tmp_path, tmp_path / "R-50.pkl", gpus=1) == []
    (tmp_path / "youtube-vis-2019" / "train.json").unlink()
    found = ready.lacking(STAGES[1:], tmp_path, tmp_path / "nowhere.pth", gpus=1)
    assert "train.json below" in found[0] and "JPEGImages" not in found[0]
    assert found[1:] == [f"Weights: there is no file {tmp_path / 'nowhere.pth'}."]
