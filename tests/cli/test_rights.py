"""Folders that may not be written to and files that may not be read: one clear error, as anyone.

Root may do all of it. So the commands run without root's privileges where the tests are root's.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evis.data import annotations, predictions, toy

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "data" / "weights" / "toy_stage1_tiny_s.safetensors"
# Runs all commands that it is given, in one process, whose imports take the longest.
PROGRAM = """
import contextlib, io, json, sys, traceback
from evis import cli

told = []
for arguments in json.load(sys.stdin):
    said, status = io.StringIO(), None
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            status = cli.main(arguments)
        except BaseException:
            traceback.print_exc()
    told.append([status, said.getvalue()])
json.dump(told, sys.stdout)
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A folder that may not be written to, with all that commands read; some may not be read."""
    folder = tmp_path_factory.mktemp("rights") / "closed"
    dataset = toy.build("toy-ytvis19", folder, videos=2, progress=False)
    annotations.write(dataset, folder / "truth.json")
    predictions.write(predictions.from_dataset(dataset), folder / "results.json")
    shutil.copy(folder / "truth.json", folder / "secret.json")
    shutil.copy(WEIGHTS, folder / "secret.safetensors")
    frames = dataset.read_frame.root / Path(dataset.videos[0].frames[0]).parent
    shutil.copytree(frames, folder / "open")
    shutil.copytree(frames, folder / "locked")
    for secret in (*folder.glob("secret.*"), sorted((folder / "locked").iterdir())[1]):
        secret.chmod(0)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.mark.slow
def test_what_may_not_be_read_or_written_is_one_line(closed, tmp_path):
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("root may read and write everything, and there is no setpriv")
    weights, open_, out = ("--weights", WEIGHTS), closed / "open", tmp_path / "out"
    truth, results = ("--annotations", closed / "truth.json"), closed / "results.json"
    small = ("--scale", "toy", "--set", "init=None", "--data", f"toy-ytvis19={closed}")
    cases = {
        ("predict", open_, *weights, "--out", closed / "new"): "new",
        ("predict", closed / "locked", *weights, "--out", out): "locked",
        ("predict", open_, "--weights", closed / "secret.safetensors", "--out", out): "secret",
        ("label", "none", open_, "--out", closed / "new.json"): "new.json",
        ("label", "none", closed / "locked", "--out", out / "labels.json"): "locked",
        ("label", "boxes", closed / "secret.json", "--out", out / "labels.json"): "secret.json",
        ("evaluate", results, *truth, "--json", closed / "scores.json"): "scores.json",
        ("evaluate", results, "--annotations", closed / "secret.json"): "secret.json",
        ("evaluate", closed / "secret.json", *truth): "secret.json",
        ("train", "boxinst", *small, "--folder", closed / "weights"): "weights",
        ("data", "toy", "toy-coco", "--root", closed / "made"): "made",
    }
    without = [setpriv, "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*without, sys.executable, "-c", PROGRAM],
        input=json.dumps([[*map(str, case)] for case in cases]),
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    for (case, named), (status, said) in zip(cases.items(), json.loads(done.stdout), strict=True):
        last = said.strip().splitlines()[-1] if said.strip() else "nothing"
        assert status == 2, (case, said)
        assert last.startswith("evis: ") and named in last and "Traceback" not in said, (case, said)
