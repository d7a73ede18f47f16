"""What "auto" comes to: frames never enlarged, small videos whole, machines alike."""

from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import torch
from planted import ByColour

from evis.data.types import Video
from evis.inference import fitting
from evis.inference.fitting import LEAST, MOST, memory_budget
from evis.inference.options import Options
from evis.models import VideoMask2Former, named


@pytest.fixture(scope="module")
def models():
    with torch.device("meta"):
        return {size: VideoMask2Former(named(size, 40)) for size in ("r50", "tiny", "tiny_l")}


@pytest.fixture
def fitted(monkeypatch):
    def fitted(options, model, frames, size, budget):
        monkeypatch.setattr(fitting, "memory_budget", lambda device: budget)
        return fitting.fitted(options, model, Video(1, "v", *size, ("",) * frames))

    return fitted


def test_frames_are_seen_as_in_training_and_never_enlarged(models, fitted):
    def seen(size, height, width):
        options = fitted(Options(), models[size], 3, (height, width), MOST)
        return options.seen_size(height, width)

    assert seen("r50", 720, 1280) == (360, 640)
    assert seen("r50", 180, 320) == (180, 320)
    assert seen("tiny", 180, 320) == (64, 114)
    assert seen("tiny", 64, 96) == (64, 96)
    assert seen("tiny", 1, 1) == (1, 1)
    assert seen("r50", 400, 4000) == (133, 1333)
    models["tiny"].shorter_side = 72
    assert seen("tiny", 180, 320) == (72, 128)
    models["tiny"].shorter_side = 64


def test_what_is_asked_for_stays(models, fitted):
    asked = Options(7, 2, shorter_side=500, precision="bfloat16", tracker="memory")
    assert fitted(asked, models["r50"], 900, (180, 320), LEAST) == asked
    asked = Options(window=None, shorter_side=None, precision="float32", tracker="minvis")
    assert fitted(asked, models["r50"], 900, (180, 320), LEAST) == asked


def test_of_other_models_nothing_is_known_so_videos_are_seen_whole_and_as_they_are(fitted):
    assert fitted(Options(), ByColour(), 10**6, (4000, 3000), LEAST) == Options(
        None, 0, "queries", None, precision="float32", tracker="minvis"
    )


@pytest.mark.parametrize("has_bfloat16, precision", [(True, "bfloat16"), (False, "float32")])
def test_cuda_halves_precision_where_it_can_and_the_model_is_evis_own(
    models, monkeypatch, has_bfloat16, precision
):
    monkeypatch.setattr(fitting, "device_of", lambda model: torch.device("cuda"))
    emulated = lambda including_emulation=True: has_bfloat16 or including_emulation  # noqa: E731
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", emulated)
    video, asked = Video(1, "v", 64, 96, ("",)), Options(window=None, shorter_side=None)
    found = fitting.fitted(asked, models["tiny"], video), fitting.fitted(asked, ByColour(), video)
    assert [options.precision for options in found] == [precision, "float32"]
    asked = replace(asked, precision="float32")
    assert fitting.fitted(asked, models["tiny"], video) == replace(asked, tracker="minvis")


def test_toy_videos_and_published_protocols_are_seen_whole(models, fitted):
    for size in ("tiny", "tiny_l"):
        assert fitted(Options(), models[size], 200, (64, 96), LEAST).window is None
    assert fitted(Options(), models["r50"], 36, (720, 1280), MOST).window is None  # YouTube-VIS


def test_videos_longer_than_any_benchmarks_take_windows_of_one_length(models, fitted):
    for length, window in ((512, None), (513, 32), (10**5, 32)):
        assert fitted(Options(), models["tiny"], length, (64, 96), MOST).window == window


def test_a_window_fits_its_budget_and_twice_as_many_frames_do_not(models, fitted):
    for name, model in models.items():
        for size in ((180, 320), (720, 1280), (2160, 3840)):
            for budget in (LEAST, MOST):
                options = fitted(Options(), model, 10**4, size, budget)
                seen = options.seen_size(*size)
                of_frame = fitting.bytes_of_frame(model.config, *seen)
                needs = fitting.bytes_of_seeing(*seen) + options.window * of_frame
                assert needs <= budget, name
                longest = options.window == fitting.LONGEST_WINDOW
                assert longest or needs + options.window * of_frame > budget
    options = replace(Options(), shorter_side=None)
    assert fitted(options, models["r50"], 10, (8000, 8000), LEAST).window == 1


@pytest.mark.parametrize("free, budget", [(2**40, MOST), (10 * 2**30, 2.5 * 2**30), (0, LEAST)])
def test_the_budget_is_a_quarter_of_what_is_free_within_limits(free, budget, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr(fitting, "_limits_of_cgroups", lambda: [2**50])
    assert memory_budget(torch.device("cpu")) == budget


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    groups = tmp_path / "cgroup"
    groups.write_text("0::/box\n4:memory:/old/box\n")
    root = tmp_path / "fs"
    for file, text in (
        ("box/memory.max", "max\n"),
        ("memory/old/box/memory.limit_in_bytes", "3000\n"),
        ("memory/memory.limit_in_bytes", "4000\n"),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    monkeypatch.setattr(fitting, "CGROUPS", groups)
    monkeypatch.setattr(fitting, "CGROUP_ROOT", root)
    assert sorted(fitting._limits_of_cgroups()) == [3000, 4000]
    for file in root.rglob("memory.*"):
        file.write_text(f"{8 * 2**30}\n")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**40))
    assert memory_budget(torch.device("cpu")) == 2 * 2**30
    monkeypatch.setattr(fitting, "CGROUP_ROOT", tmp_path / "not Linux")
    assert fitting._limits_of_cgroups() == []
