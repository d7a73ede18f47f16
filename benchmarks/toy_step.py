"""A training step of the toy model, beside the same step of commit 7fe30d3: 35% less is wanted.

    python benchmarks/toy_step.py [--rounds 20] [--store]

The step is one of stage two with `tiny_s`: 8 clips of 3 frames of 64 x 96, forward, loss, backward,
gradient clipping, AdamW, on one thread of a CPU as the engine sets it up. "trivial" is the same
with the mean of all logits for a loss: 1.25 times that is wanted at most. The old code, taken out
of git, and the new run in a process each and take turns, a pass over the same four batches at a
time; medians of process time. The weights are fresh.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from command import finish, parser_of
from tqdm.auto import tqdm

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "7fe30d3"
BATCHES = 4
LATE = 10_000  # a step after the warm-up
SHORTER, RATIO = 0.35, 1.25  # wanted


def worker() -> None:
    """Take "loss" or "trivial" off stdin, a line each, and answer with seconds a step."""
    from dataclasses import replace

    import torch

    from evis.data import toy as toy_sets
    from evis.models import VideoMask2Former
    from evis.models import named as model_named
    from evis.models.allocator import keep_freed_memory
    from evis.training import batches
    from evis.training.optimiser import adamw
    from evis.training.reproducible import in_fixed_order

    try:
        from evis.criterion.step import Step
        from evis.papers.eigencluster.loss import Loss
        from evis.papers.eigencluster.recipes import named, toy
    except ImportError:  # as it was in `BEFORE`
        from evis.losses.criterion import criterion
        from evis.training.recipes import named, toy

        Loss = None

    keep_freed_memory()
    torch.manual_seed(0)
    recipe = replace(toy(named("eigencluster.stage2")), model="tiny_s")
    sources = batches.admit(recipe, {"videos": toy_sets.sample("toy-ytvis19", 40)})
    made = batches.Batches(recipe, sources, keep_frames=False)
    of_step = [made[number] for number in range(BATCHES)]
    model = VideoMask2Former(model_named(recipe.model, len(sources["videos"].categories))).train()
    if Loss is None:
        optimiser = adamw(recipe, model)
    else:
        rates = recipe.learning_rate, recipe.weight_decay, recipe.backbone_multiplier
        optimiser, loss = adamw(model, *rates), Loss(recipe.settings)

    def total(prediction, clips) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        if Loss is None:
            return criterion(prediction, clips, recipe.settings, LATE, generator)["total"]
        return loss(prediction, clips, Step(LATE), generator)["total"]

    def trivial(prediction, _) -> torch.Tensor:
        layers = (*prediction.layers, prediction)
        return sum(layer.class_logits.mean() + layer.mask_logits.mean() for layer in layers)

    def one_pass(objective) -> float:
        start = time.process_time()
        for batch in of_step:
            objective(model(batch.frames), batch.clips).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
        return (time.process_time() - start) / BATCHES

    with in_fixed_order(1, on_cpu=True):
        for _ in range(2):
            one_pass(total), one_pass(trivial)
        print("ready", flush=True)
        for line in sys.stdin:
            print(one_pass({"loss": total, "trivial": trivial}[line.strip()]), flush=True)


class Worker:
    def __init__(self, tree: Path):
        variables = os.environ | {
            "PYTHONPATH": str(tree),
            "EVIS_ROOT": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker"],
            env=variables,
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline().strip() == "ready", f"{tree} doesn't run"

    def seconds(self, what: str) -> float:
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def run(rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", BEFORE, "evis"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        )
        subprocess.run(["tar", "-x"], cwd=folder, check=True, input=archive.stdout)
        workers = {"before": Worker(Path(folder)), "now": Worker(ROOT)}
        for _ in tqdm(range(rounds), desc="rounds", leave=False):
            for name, of_tree in workers.items():
                for what in ("loss", "trivial"):
                    taken.setdefault(f"{name}, {what}", []).append(of_tree.seconds(what))
        for of_tree in workers.values():
            of_tree.end()
    step = {name: median(seconds) for name, seconds in taken.items()}
    for name, seconds in step.items():
        print(f"  {name:16} {1e3 * seconds:6.1f} ms a step")
    shorter = 1 - step["now, loss"] / step["before, loss"]
    ratio = step["now, loss"] / step["now, trivial"]
    was = step["before, loss"] / step["before, trivial"]
    verdicts = [
        "holds" if fine else "does not hold" for fine in (shorter >= SHORTER, ratio <= RATIO)
    ]
    print(f"shorter by {shorter:.0%}, {SHORTER:.0%} wanted: {verdicts[0]} here")
    print(f"{ratio:.2f} times a trivial step, {RATIO} wanted, {was:.2f} before: {verdicts[1]} here")
    return {
        "shorter by": shorter,
        "times a trivial step": ratio,
        "times a trivial step before": was,
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker()
        return
    recipe = {"name": "benchmark toy step", "model": "tiny_s", "batch": 8, "before": BEFORE}
    finish(options, recipe, "toy-ytvis19", lambda: run(options.rounds))


if __name__ == "__main__":
    main()
