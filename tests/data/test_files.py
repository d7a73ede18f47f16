"""A file is written whole or not at all."""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from evis.data import DataError, files, jsonfile, predictions


def test_content_and_missing_folders_are_written(tmp_path):
    path = tmp_path / "new folder" / "deeper" / "a.txt"
    assert files.write_text(path, "ü\n") == path
    assert path.read_bytes() == "ü\n".encode()
    assert files.write_bytes(str(path), b"\x00\r\n") == path
    assert path.read_bytes() == b"\x00\r\n"


def test_json_is_strict_and_round_trips(tmp_path):
    value = {"pi": 3.141592653589793, "tiny": 5e-324, "none": None, "text": "ü", "list": [1, True]}
    path = files.write_json(tmp_path / "a.json", value)
    assert json.loads(path.read_text()) == value
    assert path.read_text().endswith("}\n") and " " not in path.read_text()
    assert files.write_json(path, [1, 2], indent=1).read_text() == "[\n 1,\n 2\n]\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_json_that_others_could_not_read_leaves_the_old_file(tmp_path, value):
    path = files.write_json(tmp_path / "a.json", 1)
    with pytest.raises((ValueError, TypeError)):
        files.write_json(path, {"value": value})
    assert path.read_text() == "1\n"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file_alone(tmp_path, monkeypatch, step):
    path = files.write_text(tmp_path / "a.txt", "old")

    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, step, full)
    with pytest.raises(OSError, match="no space left"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_line_and_leaves_no_file(tmp_path):
    """No file may grow beyond 64 KiB, which the system treats as it does a full disk."""
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "from evis.cli import main\n"
        "sys.exit(main(['data', 'toy', 'toy-ytvis19', '--root', sys.argv[1], '--videos', '20']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "toy")], capture_output=True, text=True
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert last.startswith("evis: ") and "File too large" in last and "train.json" in last
    assert not (tmp_path / "toy" / "train.json").exists()
    assert not list(tmp_path.rglob("*.tmp*"))


def test_a_lock_is_held_by_one_at_a_time_and_let_go_of_by_the_killed(tmp_path):
    path = tmp_path / "new" / ".lock"
    hold = "import sys, time; from evis.data import files\n"
    hold += "with files.locked(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(BlockingIOError), files.locked(path, wait=False):
        pass
    holder.kill()
    with files.locked(path), pytest.raises(BlockingIOError), files.locked(path, wait=False):
        pass
    holder.communicate()


def test_a_lock_that_is_a_link_leaves_what_it_leads_to(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (tmp_path / ".lock").symlink_to(mine)
    with files.locked(tmp_path / ".lock"):
        pass
    assert mine.read_text() == "mine"


def test_a_disk_that_knows_no_locks_is_named(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", flock)
    said = r"\.lock: can't be held .*: No locks available. Mount its"
    with pytest.raises(DataError, match=said), files.locked(tmp_path / ".lock"):
        pass


@pytest.mark.parametrize("length", [100, 100_000])
def test_where_what_is_put_aside_has_no_room_the_folder_is_named(length):
    """No file may grow beyond 64 bytes, which the system treats as it does a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    spill = files.Spill(in_memory=10)
    try:
        with pytest.raises(
            DataError, match="can't take .* File too large. Make room .* TMPDIR"
        ) as told:
            spill.read(spill.append(bytes(length)), length)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told.value.file == tempfile.gettempdir()


def test_where_nothing_may_be_written_the_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        files.write_text(tmp_path / "file" / "a.txt", "")
    assert os.listdir(tmp_path) == ["file"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        path = files.write_text(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_reader_never_sees_a_part_even_when_the_writer_is_killed(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "0" * 200_000)
    endless = (
        "import itertools, sys; from evis.data import files\n"
        "for n in itertools.count(): files.write_text(sys.argv[1], str(n % 10) * 200_000)"
    )
    writer = subprocess.Popen([sys.executable, "-c", endless, str(path)])
    seen = set()
    deadline = time.monotonic() + 120
    while len(seen) < 5 and time.monotonic() < deadline:
        text = path.read_text()
        assert len(text) == 200_000 and len(set(text)) == 1
        seen.add(text[0])
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(seen) == 5
    assert len(path.read_text()) == 200_000


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_neither_read_nor_replaced(tmp_path, kind):
    path = tmp_path / "a.json"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")

    def hold(path):
        with files.locked(path):
            pass

    for use in (jsonfile.load, predictions.read_rows, lambda path: files.write_json(path, 1), hold):
        with pytest.raises(DataError, match="a.json: is a pipe or a device, no regular file"):
            use(path)
    assert not path.is_file() and os.listdir(tmp_path) == ["a.json"]
