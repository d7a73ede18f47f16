"""The state of a run, one step further at a time: model, optimiser and all else a step changes."""

import math
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from accelerate.utils.memory import should_reduce_batch_size
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from evis.criterion.step import Step
from evis.data import provenance
from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.losses.tensors import Diverged, TooSmall
from evis.models.checkpoints import load_into, save
from evis.training import checkpoint, start
from evis.training.batches import Batch
from evis.training.folder import CHECKPOINTS, WEIGHTS
from evis.training.method import Method
from evis.training.optimiser import adamw, learning_rate, set_learning_rate
from evis.training.recipe import Recipe
from evis.training.reproducible import seed

_SMALLER = (
    "Lower micro_batch (more micro-batches a step then), the shorter_sides or frames, train in "
    "bf16, or recompute activations"
)


class Terms(NamedTuple):
    """Of a loss: their names and values (terms,), where they were computed."""

    names: list[str]
    values: Tensor


class Run:
    """Model, loss, optimiser and all else that a step changes."""

    def __init__(
        self,
        recipe: Recipe,
        sources: Mapping[str, VISDataset],
        method: Method,
        weights: Path | None,
        folder: Path,
        accelerator: Accelerator,
    ):
        self.recipe, self.accelerator = recipe, accelerator
        self.checkpoints, self.weights = folder / CHECKPOINTS, folder / WEIGHTS
        self.classes = [c.name for c in sources[recipe.mixture[0][0]].categories]
        seed(recipe.seed, 0)
        self.model = start.build(recipe, self.classes, method, weights).to(accelerator.device)
        self.loss = method.loss(recipe)
        # What of the loss is trained; nothing of most.
        learned = self.loss if isinstance(self.loss, nn.Module) else nn.Module()
        self.learned = learned.to(accelerator.device)
        if recipe.freeze_backbone:
            self.model.backbone.requires_grad_(False)
        self.optimiser = adamw(
            self.model,
            recipe.learning_rate,
            recipe.weight_decay,
            recipe.backbone_multiplier,
            self.learned,
        )
        self.average_model = None
        if recipe.ema_decay:
            average = get_ema_multi_avg_fn(recipe.ema_decay)
            self.average_model = AveragedModel(self.model, accelerator.device, multi_avg_fn=average)
        self.network, self.stepper = accelerator.prepare(self.model, self.optimiser)
        self.step = 0
        self.is_finished = self.weights.exists()
        if not self.is_finished:
            self.step = checkpoint.restore(self.checkpoints, self._state())
        if len(set(gather_object([(self.step, self.is_finished)]))) > 1:
            raise DataError(
                "the processes find different checkpoints",
                file=folder,
                remedy="All nodes need one shared folder",
            )

    def advance(self, loader: Iterator[Batch]) -> dict[str, Any]:
        """One step. -> what it was like, in this process."""
        begin = time.perf_counter()
        rate = learning_rate(self.recipe, self.step)
        set_learning_rate(self.optimiser, rate)
        self.network.train()
        if self.recipe.freeze_backbone:
            self.model.backbone.eval()
        share = self.recipe.micro_batches // self.accelerator.num_processes
        batches: list[Batch] = []
        try:
            for _ in range(share):
                batches.append(next(loader))
            waited = time.perf_counter() - begin
            all_terms = self._backward(batches)
            norm = self._update(batches, all_terms)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or should_reduce_batch_size(error):
                raise self._error("out of memory", batches, _SMALLER) from error
            raise
        self.step += 1
        return {
            "terms": all_terms,
            "learning_rate": rate,
            "gradient_norm": norm,
            "seconds": time.perf_counter() - begin,
            "data_seconds": waited,
        }

    def _backward(self, batches: Sequence[Batch]) -> list[Terms]:
        """The terms of every micro-batch; the mean of their gradients."""
        accelerator, share = self.accelerator, len(batches)
        step = Step(self.step, self._objects(batches))
        number = self.step * self.recipe.micro_batches + accelerator.process_index
        all_terms = []
        for turn, batch in enumerate(batches):
            generator = seed(self.recipe.seed, 1 + number + turn * accelerator.num_processes)
            with accelerator.no_sync(self.network) if turn < share - 1 else nullcontext():
                batch = batch.to(accelerator.device)
                prediction = self.network(batch.frames)
                try:
                    terms = self.loss(prediction, batch.clips, step, generator)
                except Diverged as error:
                    raise self._diverged(str(error), [batch]) from None
                except TooSmall as error:
                    advice = "Take larger frames (shorter_sides), or a smaller scale"
                    raise self._error(str(error), [batch], advice) from None
                accelerator.backward(terms["total"] / share)
            all_terms.append(Terms(list(terms), torch.stack([*terms.values()]).detach()))
        return all_terms

    def _objects(self, batches: Sequence[Batch]) -> float:
        """The mean number of objects a micro-batch of this step, over all processes."""
        count = sum(len(clip.labels) for batch in batches for clip in batch.clips)
        if self.accelerator.num_processes > 1:
            counted = torch.tensor(float(count), device=self.accelerator.device)
            count = self.accelerator.reduce(counted, "sum").item()
        return max(count, 1) / self.recipe.micro_batches

    def _update(self, batches: Sequence[Batch], all_terms: Sequence[Terms]) -> float | None:
        """Clip the whole model's gradient and step. -> its norm before; None where fp16 skipped."""
        accelerator = self.accelerator
        for parameter in self.learned.parameters():  # DDP looks after the model alone
            gradient = parameter.grad if parameter.grad is not None else parameter.new_zeros(())
            parameter.grad = accelerator.reduce(gradient.expand_as(parameter).clone(), "mean")
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        norm = accelerator.clip_grad_norm_(parameters, self.recipe.clip_norm)
        # The step's one wait for the device.
        totals = [terms.values[terms.names.index("total")] for terms in all_terms]
        norm, *totals = torch.stack([norm, *totals]).tolist()
        for batch, total in zip(batches, totals, strict=True):
            if not math.isfinite(total):
                raise self._diverged("the loss is NaN or infinite: training diverged", [batch])
        scaler = accelerator.scaler  # fp16 skips such a step, and tries again at half the scale
        if not math.isfinite(norm) and (scaler is None or scaler.get_scale() < 1):
            raise self._diverged("the gradient is NaN or infinite: training diverged", batches)
        self.stepper.step()
        self.stepper.zero_grad()
        if self.average_model:
            self.average_model.update_parameters(self.model)
        return norm if math.isfinite(norm) else None

    def average(self, values: dict[str, Any]) -> dict[str, Any]:
        """A log line: terms as means over all micro-batches of all processes that have them."""
        terms = gather_object(
            [
                dict(zip(terms.names, terms.values.tolist(), strict=True))  # one wait
                for terms in values["terms"]
            ]
        )
        names = dict.fromkeys(chain.from_iterable(terms))
        times = gather_object([(values["seconds"], values["data_seconds"])])
        seconds, data_seconds = (max(of_processes) for of_processes in zip(*times, strict=True))
        return {
            "step": self.step - 1,
            **{name: fmean(part[name] for part in terms if name in part) for name in names},
            "learning_rate": values["learning_rate"],
            "gradient_norm": values["gradient_norm"],
            "seconds": round(seconds, 4),
            "data_seconds": round(data_seconds, 4),
            "memory_gib": round(_peak_memory(self.accelerator.device), 3),
        }

    def _state(self) -> dict[str, Any]:
        """All that outlives a step, by name, each with a state_dict."""
        parts = {"model": self.model, "loss": self.learned, "optimiser": self.optimiser}
        parts |= {"average": self.average_model, "scaler": self.accelerator.scaler}
        return {name: part for name, part in parts.items() if part is not None}

    def save(self) -> None:
        """Write a checkpoint; called by the main process alone."""
        state = {name: part.state_dict() for name, part in self._state().items()}
        checkpoint.save(self.checkpoints, self.step, state)

    def finish(self) -> nn.Module:
        """The trained model: its weights are written or, if they were there, read.

        The checkpoints are of no more use.
        """
        accelerator = self.accelerator
        self.model.recompute_activations = False
        model = accelerator.unwrap_model(self.network, keep_fp32_wrapper=False)
        if self.is_finished:
            load_into(model, self.weights)
        elif self.average_model:
            model.load_state_dict(self.average_model.module.state_dict())
        if accelerator.is_main_process and not self.is_finished:
            about = {"recipe": self.recipe.to_json(), "categories": self.classes}
            save(model, self.weights, **about, **provenance.of_code())
        if accelerator.is_main_process:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
        accelerator.wait_for_everyone()
        return model.eval()

    def _diverged(self, problem: str, batches: Sequence[Batch]) -> DataError:
        advice = "Lower the learning rate, or warm up longer"
        if self.recipe.precision == "fp16":
            advice += ", or train in bf16 or full precision"
        return self._error(problem, batches, advice)

    def _error(self, problem: str, batches: Sequence[Batch], advice: str) -> DataError:
        clips = [clip for batch in batches for clip in batch.clips]
        return DataError(
            problem,
            video=", ".join(str(clip.video_id) for clip in clips) or None,
            frame="; ".join(", ".join(map(str, clip.frame_indices)) for clip in clips) or None,
            field=f"step {self.step}",
            remedy=f"{advice}. The last checkpoint in {self.checkpoints} is as it was",
        )


def _peak_memory(device: torch.device) -> float:
    """GiB: what torch allocated on a GPU, or what the process took, at its peak."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
