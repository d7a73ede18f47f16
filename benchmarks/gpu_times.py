"""What `gpu_check` times: a step of stage three and its parts, and videos, on any device."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from evis import inference
from evis.criterion.step import Step
from evis.data.made_up import made_up
from evis.losses import qcc, tel
from evis.models import VideoMask2Former, named
from evis.papers.eigencluster import recipes
from evis.papers.eigencluster.loss import Loss
from evis.training import batches
from evis.training.optimiser import adamw

CLASSES = 40
LATE = 10_000  # a step after the warm-up
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
WAITS = ("cudaStreamSynchronize", "cudaEventSynchronize")
Size = tuple[int, int]
Numbers = dict[str, float]


@dataclass(frozen=True)
class Scale:
    device: torch.device
    models: tuple[str, str] = ("r50", "swin_l")
    step_frame: Size = (480, 853)
    video_frames: int = 36
    video: Size = (360, 640)
    large_video: Size = (720, 1280)
    repeats: int = 7
    toy_steps: int = 60
    stage_steps: int = 6

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, run: Callable[[], object], repeats: int | None = None) -> float:
        """The median of several runs, after two that are not counted."""
        taken = []
        for _ in range(2 + (repeats or self.repeats)):
            self.wait()
            start = time.perf_counter()
            run()
            self.wait()
            taken.append(time.perf_counter() - start)
        return median(taken[2:])


def tiny(device: torch.device) -> Scale:
    small = {"video_frames": 9, "repeats": 1, "toy_steps": 2, "stage_steps": 2}
    sizes = {"step_frame": (64, 96), "video": (64, 96), "large_video": (96, 128)}
    return Scale(device, ("tiny_s", "tiny"), **sizes, **small)


class FullStep:
    """A step of stage three with one of the engine's batches, taken apart."""

    def __init__(self, scale: Scale, size: str, device: torch.device, frame: Size):
        torch.manual_seed(0)
        self.device, self.frame = device, frame
        recipe = replace(
            recipes.named("eigencluster.stage3"), shorter_sides=(min(frame),), model=size
        )
        sources = batches.admit(recipe, {"videos": made_up(4, CLASSES, frame)})
        self.batch = batches.Batches(recipe, sources, keep_frames=True)[0]
        if device.type == "cuda":
            self.batch = self.batch.pin_memory()
        self.recipe, self.model = recipe, VideoMask2Former(named(size, CLASSES)).train().to(device)
        self.model.backbone.requires_grad_(False).eval()
        rates = recipe.learning_rate, recipe.weight_decay, recipe.backbone_multiplier
        self.optimiser = adamw(self.model, *rates)
        self.loss = Loss(recipe.settings)
        self.tk_alone = Loss(replace(recipe.settings, alpha=0, beta=0.0))
        self.wait = scale.wait

    def run(
        self, bf16: bool, loss: Loss | None = None, split: Numbers | None = None
    ) -> dict[str, Tensor]:
        """One step; its terms. split: gets seconds of its parts, each until the device rests."""
        start = time.perf_counter()

        def done(part: str) -> None:
            nonlocal start
            if split is not None:
                self.wait()
                split[part], start = time.perf_counter() - start, time.perf_counter()

        batch, generator = self.batch.to(self.device), torch.Generator().manual_seed(0)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            prediction = self.model(batch.frames)
        done("forward")
        terms = (loss or self.loss)(prediction, batch.clips, Step(LATE), generator)
        done("criterion")
        terms["total"].backward()
        done("backward")
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        done("update")
        return {name: value.detach() for name, value in terms.items()}


def steps(scale: Scale) -> Iterator[tuple[str, Numbers]]:
    """The step of stage three, and transformers' model for pictures on the same frames."""
    full = FullStep(scale, scale.models[0], scale.device, scale.step_frame)
    for name, bf16 in (("float32", False), ("bf16", True)):
        found: Numbers = {"whole": scale.seconds(partial(full.run, bf16))}
        parts: list[Numbers] = [{} for _ in range(3)]
        for part in parts:
            full.wait()
            full.run(bf16, split=part)
        found |= {part: median(each[part] for each in parts) for part in parts[0]}
        alone = scale.seconds(partial(full.run, bf16, full.tk_alone))
        found["share of TEL and QCC"] = found["whole"] / alone - 1
        if scale.device.type == "cuda":
            found |= _profiled(scale, partial(full.run, bf16))
            torch.cuda.reset_peak_memory_stats()
            full.run(bf16)
            found["GiB"] = torch.cuda.max_memory_allocated() / 2**30
        found |= _transformers(scale, full, bf16)
        yield f"step, {name}", found
    yield "parts of the loss", _alone(scale, full)


def _profiled(scale: Scale, run: Callable[[], object]) -> Numbers:
    """What the device computed, and how often the host launched kernels and waited."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run()
        scale.wait()
    events = profiler.key_averages()
    kernels = [e for e in events if e.device_type == torch.autograd.DeviceType.CUDA]
    return {
        "kernels": sum(event.self_device_time_total for event in kernels) / 1e6,
        "launches": sum(event.count for event in events if event.key in LAUNCHES),
        "waits": sum(event.count for event in events if event.key in WAITS),
    }


@torch.no_grad()
def _alone(scale: Scale, full: FullStep) -> Numbers:
    prediction = full.model(full.batch.to(scale.device).frames)
    layers = torch.stack([x.mask_logits for x in (*prediction.layers, prediction)])
    counts, settings = [len(clip.labels) for clip in full.batch.clips], full.recipe.settings
    objects = layers[:, :, : max(counts)].flatten(0, 2)  # (L * B * N, T, h, w)
    spectra = partial(tel.eigenvalues, objects, settings.eigenvalues, settings.scale)
    quality = partial(qcc.quality_cluster_coefficient, layers[-1], counts, settings.scale)
    return {
        "TEL of all layers, forward": scale.seconds(spectra),
        "QCC of two clips": scale.seconds(quality),
    }


def _of_transformers(scale: Scale) -> nn.Module:
    """Its Mask2Former for pictures, untrained, of the size of our first model."""
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, ResNetConfig

    if scale.models[0] == "r50":
        backbone, sizes = {"depths": [3, 4, 6, 3]}, {}
    else:
        backbone = {"depths": [1, 1, 1, 1], "embedding_size": 8, "hidden_sizes": [16, 32, 48, 64]}
        sizes = dict.fromkeys(("feature_size", "mask_feature_size", "hidden_dim"), 32)
        sizes |= {"encoder_layers": 1, "decoder_layers": 3, "train_num_points": 100}
    stages = [f"stage{number}" for number in range(1, 5)]
    config = Mask2FormerConfig(
        backbone_config=ResNetConfig(out_features=stages, **backbone), num_labels=CLASSES, **sizes
    )
    return Mask2FormerForUniversalSegmentation(config).to(scale.device)


def _transformers(scale: Scale, full: FullStep, bf16: bool) -> Numbers:
    model = _of_transformers(scale).train()
    pictures = (full.batch.frames.flatten(0, 1).to(scale.device) - 120.0) / 58
    frames = made_up(6, CLASSES, full.frame)
    masks = [
        torch.from_numpy(np.stack([track.mask(frame) for track in frames.tracks])).float()
        for frame in range(len(pictures))
    ]
    masks = [of_frame.to(scale.device) for of_frame in masks]
    labels = [torch.zeros(len(each), dtype=torch.long, device=scale.device) for each in masks]

    def run(backward: bool) -> None:
        with torch.autocast(scale.device.type, torch.bfloat16, enabled=bf16):
            found = model(pictures, mask_labels=masks, class_labels=labels)
        if backward:
            found.loss.backward()
            model.zero_grad()

    return {
        "transformers, forward and loss": scale.seconds(partial(run, False)),
        "transformers, and backward": scale.seconds(partial(run, True)),
    }


@torch.no_grad()
def videos(scale: Scale) -> Iterator[tuple[str, Numbers]]:
    """Forward pass and `predict` of each model; 720p whole, in windows of 8 and frame by frame."""
    random = np.random.default_rng(0)

    def film(size: Size) -> list[np.ndarray]:
        coarse = random.integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
        picture = coarse.repeat(8, 0).repeat(8, 1)
        return [np.roll(picture, 4 * frame, 1) for frame in range(scale.video_frames)]

    for number, size in enumerate(scale.models):
        torch.manual_seed(0)
        model = VideoMask2Former(named(size, CLASSES)).eval().to(scale.device)
        frames = film(scale.video)
        clip = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].to(scale.device)

        def forward(bf16: bool, model=model, clip=clip) -> None:
            with torch.autocast(scale.device.type, torch.bfloat16, enabled=bf16):
                model(clip, every_layer=False)

        def predict(options: inference.Options, film: list, model=model) -> None:
            inference.predict(model, film, options, progress=False)

        repeats, whole = max(1, scale.repeats // 2), inference.Options(window=None)
        found = {
            "forward": scale.seconds(partial(forward, False), repeats),
            "forward, bf16": scale.seconds(partial(forward, True), repeats),
            "predict": scale.seconds(partial(predict, whole, frames), repeats),
        }
        found["frames a second"] = len(frames) / found["predict"]
        if number == 0:
            theirs, pictures = _of_transformers(scale).eval(), (clip[0] - 120.0) / 58
            found["transformers, forward"] = scale.seconds(partial(theirs, pictures), repeats)
            large, wanted = film(scale.large_video), {"whole": None, "windows of 8": 8, "frames": 1}
            for name, window in wanted.items():
                options = inference.Options(window=window)
                found[f"720p, {name}"] = scale.seconds(partial(predict, options, large), 1)
        yield f"video, {size}", found
