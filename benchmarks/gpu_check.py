"""What a GPU makes of evis: parity with the CPU, times, launches, waits, stages at full size.

    make gpu-check [STORE=1]
    python benchmarks/gpu_check.py [--tests PATH ...] [--store | --tiny [--device cpu]]

At most eight minutes on one GPU; it fails where a test does, where the CPU computes something else,
or where it takes longer. A step is one of stage three: two clips of three frames of 480 x
853, R50, boxes with TK, TEL and QCC. Videos are noise of 36 frames, and so are the weights. Times
are medians of wall time, after the device has come to rest; where two are compared they are of one
run. `--tiny` makes everything small, to see on any machine that this program works; it says what
needs a GPU and stores nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for the runs in a fixed order

import torch  # noqa: E402
from gpu_times import CLASSES, FullStep, Numbers, Scale, steps, tiny, videos  # noqa: E402

from evis.companion import gpu, store  # noqa: E402
from evis.data import toy as toy_sets  # noqa: E402
from evis.data.made_up import made_up  # noqa: E402
from evis.models import VideoMask2Former, named  # noqa: E402
from evis.papers.eigencluster import method, recipes  # noqa: E402
from evis.training import log, train  # noqa: E402
from evis.training.run import Run  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("eigencluster.stage1", "eigencluster.stage2", "eigencluster.stage3")


def parity(scale: Scale) -> Numbers:
    """How far a step's terms and the masks of a prediction are from the CPU's, relative.

    In full float32 on both sides: without tf32, which shortens a GPU's convolutions.
    """
    frame, cpu = (96, 160), torch.device("cpu")
    here, there = (
        FullStep(scale, scale.models[0], device, frame).run(bf16=False)
        for device in (cpu, scale.device)
    )
    compared = ("class", "projection", "total")
    worst = max(abs(float(there[name] / here[name].to(scale.device)) - 1) for name in compared)
    clip = torch.randint(0, 256, (1, 4, 3, *frame), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model, logits = VideoMask2Former(named(scale.models[0], CLASSES)).eval(), []
    for device in (cpu, scale.device):
        with torch.no_grad():
            logits.append(model.to(device)(clip.to(device)).mask_logits.cpu())
    apart = (logits[1] - logits[0]).abs().mean() / logits[0].abs().mean()
    return {"a step's terms": worst, "a prediction's logits": float(apart)}


def toy(scale: Scale, folder: Path) -> Numbers:
    """A step of stage one on toy pictures, and whether two runs in a fixed order are the same."""
    recipe = replace(recipes.toy(recipes.named(STAGES[0])), steps=scale.toy_steps)
    stills = {"stills": toy_sets.sample("toy-coco", 40)}
    weights, seconds = [], []
    for number, deterministic in enumerate((False, False, True, True)):
        place = folder / f"toy{number}"
        how = _where(scale) | {"deterministic": deterministic, "keep_frames": True}
        model = train(recipe, stills, place, method, **how)
        weights.append(torch.cat([p.detach().flatten().cpu() for p in model.parameters()]))
        seconds.append(float(log.read(place)["seconds"].median()))
    few = replace(recipe, steps=1 + scale.toy_steps // 8)
    train(few, stills, folder / "cpu", method, device="cpu", threads=2, progress=False)
    return {
        "step": min(seconds[:2]),
        "step, on two threads of the CPU": float(log.read(folder / "cpu")["seconds"].median()),
        "step, in a fixed order": min(seconds[2:]),
        "runs apart": float((weights[0] - weights[1]).abs().max()),
        "runs apart, in a fixed order": float((weights[2] - weights[3]).abs().max()),
    }


def three_stages(scale: Scale, folder: Path) -> Numbers:
    """Each from the weights of the one before, cut off in the middle and resumed."""
    weights, found = None, {}
    sets = {"stills": made_up(1, CLASSES, scale.step_frame)}
    sets["videos"] = made_up(4, CLASSES, scale.step_frame)
    for number, name in enumerate(STAGES):
        recipe = replace(
            recipes.named(name), model=scale.models[0], steps=scale.stage_steps, batch=2,
            shorter_sides=(min(scale.step_frame),), init=STAGES[number - 1] if number else None,
        )  # fmt: skip
        half, place = scale.stage_steps // 2, folder / name
        run = partial(train, recipe, sets, place, method, weights, **_where(scale), save_every=half)
        with _cut_after(half) as tried:
            try:
                run()
            except _CutOff:
                run()
        logged = log.read(place)
        whole = list(logged["step"]) == list(range(scale.stage_steps))
        resumed = tried == [*range(half + 1), *range(half, scale.stage_steps)]
        if not resumed or not whole or logged["total"].isna().any():
            raise RuntimeError(f"{name} was not resumed where it was cut off")
        weights = place / "weights.safetensors"
        found[f"{name}, step"] = float(logged["seconds"].iloc[1:].median())
        found[f"{name}, GiB"] = float(logged["memory_gib"].max())
    return found


class _CutOff(Exception):
    pass


@contextmanager
def _cut_after(steps: int) -> Iterator[list[int]]:
    """A run ends, once, when so many steps are made. -> the steps that are begun, as they are."""
    advance, tried = Run.advance, []

    def cut(run: Run, loader) -> Mapping:
        tried.append(run.step)
        if len(tried) == steps + 1:
            raise _CutOff
        return advance(run, loader)

    with patch.object(Run, "advance", cut):
        yield tried


def _where(scale: Scale) -> dict:
    return {"device": "cpu" if scale.device.type == "cpu" else None, "progress": False}


def check(scale: Scale, tests: Sequence[str]) -> Numbers:
    """All of it; prints each part as it is done. -> "part: number"."""
    found: Numbers = {}
    start = time.perf_counter()

    def show(part: str, numbers: Numbers) -> None:
        print(f"{part} ({time.perf_counter() - start:.0f} s so far)", flush=True)
        for name, value in numbers.items():
            print(f"  {name:34} {value:12.4g}", flush=True)
        found.update({f"{part}: {name}": float(value) for name, value in numbers.items()})

    if tests:
        command = [sys.executable, "-m", "pytest", "-q", "-n", "8", "-m", "not slow"]
        done = subprocess.run([*command, "--device", scale.device.type, *tests], cwd=ROOT)
        show("device tests", {"failed": float(done.returncode != 0)})
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        show("parity with the CPU", parity(scale))
    for part, numbers in chain(steps(scale), videos(scale)):
        show(part, numbers)
    with tempfile.TemporaryDirectory() as folder:
        show("toy stage one", toy(scale, Path(folder)))
        show("three stages", three_stages(scale, Path(folder)))
    show("all of it", {"seconds": time.perf_counter() - start})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", action="store_true", help="keep the numbers in data/results")
    parser.add_argument("--tests", nargs="+", default=(), help="to be run on the device first")
    parser.add_argument("--tiny", action="store_true", help="small models and frames")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("gpu-check needs a CUDA device, and torch sees none here", file=sys.stderr)
        return 2
    if options.store and (options.tiny or options.device == "cpu"):
        parser.error("only numbers of a GPU at full size are stored")
    device = torch.device(options.device)
    scale = tiny(device) if options.tiny else Scale(device)
    run = partial(check, scale, options.tests)
    if options.store:
        recipe = {"name": gpu.NAME, "card": torch.cuda.get_device_name(), "model": scale.models[0]}
        found = store.measure(
            recipe,
            "made-up videos",
            0,
            run,
            recompute=True,
            machine=lambda: {"device": recipe["card"]},
        ).metrics
    else:
        found = run()
    judged = found if device.type == "cuda" and not options.tiny else {}
    print("wanted, of a GPU at full size")
    for what, verdict in gpu.judged(judged).items():
        print(f"  {what:60} {gpu.WANTED[what]!s:14} {verdict}")
    for what in (missed := gpu.failed(judged)):
        print(f"gpu-check fails: {what}", file=sys.stderr)
    return int(bool(missed or found.get("device tests: failed")))


if __name__ == "__main__":
    sys.exit(main())
