"""What TEL and QCC, in the default flavour, add to a training step of the toy model: 3% wanted.

    python benchmarks/criterion_cost.py [--repeats 20] [--store]

The step is one of the toy stage three: its first four batches, its frozen backbone, AdamW, on one
thread of a CPU. The loss, forward and back to the prediction, runs with TEL and QCC (alpha = 1,
beta = 0.16) and without (alpha = beta = 0: TK alone) in turn, on predictions of the trained model;
what it takes more is put over a whole step without. Times are process time, the best of several of
each batch. Clips of fewer than two objects, half of them here, cost QCC nothing.
"""

import time
from dataclasses import replace
from statistics import mean

import torch
from command import finish, parser_of
from tqdm.auto import tqdm

from evis.criterion.step import Step
from evis.data import paths
from evis.data import toy as toy_sets
from evis.data.clip_prediction import ClipPrediction
from evis.models.allocator import keep_freed_memory
from evis.papers.eigencluster import method
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.recipes import named, toy
from evis.training import batches, start
from evis.training.optimiser import adamw

WANTED = 0.03
LATE = 10_000  # a step after the warm-up
RECIPE = toy(named("eigencluster.stage3"))
WEIGHTS = paths.data() / "weights" / "toy_video.safetensors"
VARIANTS = {
    "TK": {"alpha": 0, "beta": 0.0},
    "TK + TEL": {"alpha": 0},
    "TK + QCC": {"beta": 0.0},
    "TK + TEL + QCC": {},
}


BATCHES = 4


class ToyStep:
    """A step of the toy model on one batch."""

    def __init__(self, number: int):
        torch.manual_seed(0)
        sources = batches.admit(RECIPE, {"videos": toy_sets.sample("toy-ytvis19", 40)})
        classes = [category.name for category in sources["videos"].categories]
        self.batch = batches.Batches(RECIPE, sources, keep_frames=False)[number]
        self.model = start.build(RECIPE, classes, method, WEIGHTS).train()
        self.model.backbone.requires_grad_(False)
        rates = RECIPE.learning_rate, RECIPE.weight_decay, RECIPE.backbone_multiplier
        self.optimiser = adamw(self.model, *rates)
        self.leaves = _cut_off(self.model(self.batch.frames))

    def whole(self, changes: dict) -> None:
        self._loss(self.model(self.batch.frames), changes).backward()
        self.optimiser.step()
        self.optimiser.zero_grad()

    def criterion(self, changes: dict) -> None:
        self._loss(self.leaves, changes).backward()

    def _loss(self, prediction: ClipPrediction, changes: dict) -> torch.Tensor:
        loss = Loss(replace(RECIPE.settings, **changes))
        generator = torch.Generator().manual_seed(0)
        return loss(prediction, self.batch.clips, Step(LATE), generator)["total"]


def _cut_off(prediction: ClipPrediction) -> ClipPrediction:
    """The same values, from which no gradient goes further back."""
    return replace(
        prediction,
        class_logits=prediction.class_logits.detach().requires_grad_(),
        mask_logits=prediction.mask_logits.detach().requires_grad_(),
        layers=tuple(_cut_off(layer) for layer in prediction.layers),
    )


def seconds(run, changes: dict) -> float:
    start = time.process_time()
    run(changes)
    return time.process_time() - start


def run(repeats: int) -> dict[str, float]:
    torch.set_num_threads(1)
    keep_freed_memory()
    steps = [ToyStep(number) for number in range(BATCHES)]
    taken = {name: [[] for _ in steps] for name in VARIANTS}
    whole = [[] for _ in steps]
    for turn in tqdm(range(repeats), desc="criterion", leave=False):
        for number, step in enumerate(steps):
            for name, changes in VARIANTS.items():
                taken[name][number].append(seconds(step.criterion, changes))
            if turn % 4 == 0:
                whole[number].append(seconds(step.whole, VARIANTS["TK"]))
    best = {name: mean(map(min, of_batches)) for name, of_batches in taken.items()}
    whole = mean(map(min, whole))
    added = {name: (best[name] - best["TK"]) / whole for name in VARIANTS}
    clips, frames = steps[0].batch.frames.shape[:2]
    print(f"{clips} clips of {frames} frames of 64 x 96: a step with TK takes {1e3 * whole:.0f} ms")
    for name in VARIANTS:
        print(f"  {name:15} criterion {1e3 * best[name]:6.1f} ms  {100 * added[name]:+5.2f}%")
    verdict = "holds" if added["TK + TEL + QCC"] <= WANTED else "does not hold"
    print(f"at most {WANTED:.0%} wanted: {verdict} here")
    return {f"added by {n.removeprefix('TK + ')}": added[n] for n in VARIANTS if "+" in n}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    recipe = {"name": "benchmark criterion cost", "model": RECIPE.model, "batch": RECIPE.batch}
    finish(options, recipe, "toy-ytvis19", lambda: run(options.repeats))


if __name__ == "__main__":
    main()
