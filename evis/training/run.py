"""The state of a run, one step further at a time: model, optimiser and all else a step changes."""

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from evis.data import paths, provenance
from evis.data.clips import Clip
from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.losses.criterion import criterion
from evis.models import VideoMask2Former
from evis.models.checkpoints import load_into, save
from evis.papers.eigencluster.beyond import VARIANTS
from evis.papers.eigencluster.temporal import SCHEMES
from evis.training import checkpoint, start
from evis.training.batches import Batch
from evis.training.folder import CHECKPOINTS, WEIGHTS
from evis.training.optimiser import adamw, learning_rate, set_learning_rate
from evis.training.recipes import Recipe
from evis.training.reproducible import seed

_SMALLER = (
    "Lower micro_batch (more micro-batches a step then), the shorter_sides or frames, train in "
    "bf16, or recompute activations"
)


class Run:
    """Model, optimiser and all else that a step changes."""

    def __init__(
        self,
        recipe: Recipe,
        sources: Mapping[str, VISDataset],
        model: str | Path | VideoMask2Former | None,
        folder: Path,
        accelerator: Accelerator,
    ):
        self.recipe, self.accelerator = recipe, accelerator
        self.checkpoints, self.weights = folder / CHECKPOINTS, folder / WEIGHTS
        self.classes = [c.name for c in sources[recipe.mixture[0][0]].categories]
        seed(recipe.seed, 0)
        if not isinstance(model, nn.Module):
            model = start.build(recipe, self.classes, model and Path(model))
        self.model = model
        self.scheme = (SCHEMES | VARIANTS)[recipe.scheme]() if recipe.scheme else None
        learned = self.scheme if isinstance(self.scheme, nn.Module) else None
        self.learned = learned and learned.to(accelerator.device)
        model.backbone.requires_grad_(not recipe.freeze_backbone)
        self.optimiser = adamw(recipe, model, learned)
        self.average_model = None
        if recipe.ema_decay:
            average = get_ema_multi_avg_fn(recipe.ema_decay)
            self.average_model = AveragedModel(model, accelerator.device, multi_avg_fn=average)
        self.network, self.stepper = accelerator.prepare(model, self.optimiser)
        self.step = 0
        self.is_finished = self.weights.exists()
        if not self.is_finished:
            self._resume()
        if len(set(gather_object([(self.step, self.is_finished)]))) > 1:
            raise DataError(
                "the processes find different checkpoints",
                file=folder,
                remedy="All nodes need one shared folder",
            )

    def advance(self, loader: Iterator[Batch]) -> dict[str, Any]:
        """One step. -> what it was like, in this process."""
        accelerator, recipe = self.accelerator, self.recipe
        begin = time.perf_counter()
        waited = 0.0
        rate = learning_rate(recipe, self.step)
        set_learning_rate(self.optimiser, rate)
        self.network.train()
        if recipe.freeze_backbone:
            self.model.backbone.eval()
        share = recipe.micro_batches // accelerator.num_processes
        seen, all_terms = [], []
        for turn in range(share):
            asked = time.perf_counter()
            batch = next(loader)
            waited += time.perf_counter() - asked
            seen += batch.clips
            number = self.step * recipe.micro_batches + turn * accelerator.num_processes
            last = turn == share - 1
            with nullcontext() if last else accelerator.no_sync(self.network):
                all_terms.append(
                    self._micro_batch(batch, number + accelerator.process_index, share)
                )
        with self._memory_explained(seen):
            norm = self._update(seen)
        self.step += 1
        return {
            "terms": all_terms,
            "learning_rate": rate,
            "gradient_norm": norm,
            "seconds": time.perf_counter() - begin,
            "data_seconds": waited,
        }

    def _micro_batch(self, batch: Batch, number: int, share: int) -> dict[str, torch.Tensor]:
        """The loss of one micro-batch, its gradient added to what is there."""
        generator = seed(self.recipe.seed, 1 + number)
        with self._memory_explained(batch.clips):
            prediction = self.network(batch.frames.to(self.accelerator.device))
            layers = (*prediction.layers, prediction)
            if not _finite(*(each for of in layers for each in (of.class_logits, of.mask_logits))):
                raise self._diverged("the predictions hold", batch.clips)
            terms = criterion(
                prediction, batch.clips, self.recipe.settings, self.step, generator, self.scheme
            )
            if not _finite(terms["total"]):
                raise self._diverged("the loss is", batch.clips)
            self.accelerator.backward(terms["total"] / share)
        return {name: value.detach() for name, value in terms.items()}

    @contextmanager
    def _memory_explained(self, clips: list[Clip]) -> Iterator[None]:
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            raise self._error("out of memory", clips, _SMALLER) from error

    def _update(self, seen: list[Clip]) -> float | None:
        """Clip the whole model's gradient and step. -> its norm before; None where fp16 skipped."""
        accelerator = self.accelerator
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        if self.learned is not None:  # DDP looks after the model alone
            for parameter in self.learned.parameters():
                own = parameter.grad if parameter.grad is not None else parameter.new_zeros(())
                parameter.grad = accelerator.reduce(own.expand_as(parameter).clone(), "mean")
        norm = float(accelerator.clip_grad_norm_(parameters, self.recipe.clip_norm))
        if not np.isfinite(norm) and accelerator.scaler is None:
            raise self._diverged("the gradient is", seen)
        self.stepper.step()
        self.stepper.zero_grad()
        if self.average_model:
            self.average_model.update_parameters(self.model)
        return norm if np.isfinite(norm) else None

    def average(self, values: dict[str, Any]) -> dict[str, Any]:
        """A log line: terms as means over all micro-batches of all processes that have them."""
        of_batches = [{k: float(v) for k, v in terms.items()} for terms in values["terms"]]
        all_values = gather_object([values | {"terms": of_batches}])
        terms: dict[str, list[float]] = {}
        for of_process in all_values:
            for of_batch in of_process["terms"]:
                for name, value in of_batch.items():
                    terms.setdefault(name, []).append(value)
        seconds = max(of_process["seconds"] for of_process in all_values)
        return {
            "step": self.step - 1,
            **{name: sum(found) / len(found) for name, found in terms.items()},
            "learning_rate": values["learning_rate"],
            "gradient_norm": values["gradient_norm"],
            "seconds": round(seconds, 4),
            "data_seconds": round(max(v["data_seconds"] for v in all_values), 4),
            "clips_per_second": round(self.recipe.batch / seconds, 3),
            "memory_gib": round(_peak_memory(self.accelerator.device), 3),
        }

    def save(self) -> None:
        """Write a checkpoint; called by the main process alone."""
        state = self.optimiser.state_dict()["state"]
        tensors = _under("model", self.model.state_dict())
        for index, values in state.items():
            tensors |= _under(f"optimiser/{index}", values)
        if self.learned is not None:
            tensors |= _under("scheme", self.learned.state_dict())
        if self.average_model:
            tensors |= _under("average", self.average_model.state_dict())
        scaler = self.accelerator.scaler
        checkpoint.save(
            self.checkpoints, self.step, tensors, {"scaler": scaler and scaler.state_dict()}
        )

    def _resume(self) -> None:
        found = checkpoint.latest(self.checkpoints)
        if found is None:
            return
        self.step = found.step
        self.model.load_state_dict(found.part("model"))
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in found.part("optimiser").items():
            index, _, key = name.partition("/")
            moments.setdefault(int(index), {})[key] = value
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})
        if self.learned is not None:
            self.learned.load_state_dict(found.part("scheme"))
        if self.average_model:
            self.average_model.load_state_dict(found.part("average"))
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(found.about["scaler"])

    def finish(self) -> VideoMask2Former:
        """Write the trained weights; the checkpoints are of no more use."""
        model = self._unwrapped()
        if self.average_model:
            model.load_state_dict(self.average_model.module.state_dict())
        if self.accelerator.is_main_process:
            about = {"recipe": self.recipe.to_json(), "categories": self.classes} | _origin()
            save(model, self.weights, **about)
            checkpoint.remove(self.checkpoints)
        self.accelerator.wait_for_everyone()
        return model.eval()

    def reload(self) -> VideoMask2Former:
        """The model of a run that has ended before."""
        load_into(self.model, self.weights)
        if self.accelerator.is_main_process:
            checkpoint.remove(self.checkpoints)
        return self._unwrapped().eval()

    def _unwrapped(self) -> VideoMask2Former:
        self.model.recompute_activations = False
        return self.accelerator.unwrap_model(self.network, keep_fp32_wrapper=False)

    def _diverged(self, what: str, clips: list[Clip]) -> DataError:
        advice = "Lower the learning rate, or warm up longer"
        if self.recipe.precision == "fp16":
            advice += ", or train in bf16 or full precision"
        return self._error(f"{what} NaN or infinite: training diverged", clips, advice)

    def _error(self, problem: str, clips: list[Clip], advice: str) -> DataError:
        return DataError(
            problem,
            video=", ".join(str(clip.video_id) for clip in clips),
            frame="; ".join(", ".join(map(str, clip.frame_indices)) for clip in clips),
            field=f"step {self.step}",
            remedy=f"{advice}. The last checkpoint in {self.checkpoints} is as it was",
        )


def _origin() -> dict[str, Any]:
    """The code that trained, for the weights' file."""
    try:
        commit, dirty = provenance.commit(paths.repository())
    except DataError:  # installed without its repository
        commit, dirty = None, None
    return {"commit": commit, "dirty": dirty, "versions": provenance.versions()}


def _finite(*tensors: torch.Tensor) -> bool:
    return bool(torch.stack([tensor.detach().isfinite().all() for tensor in tensors]).all())


def _out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in text


def _under(name: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{name}/{key}": value for key, value in tensors.items()}


def _peak_memory(device: torch.device) -> float:
    """GiB: what torch allocated on a GPU, or what the process took, at its peak."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
