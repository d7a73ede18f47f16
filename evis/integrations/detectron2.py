"""evis inside detectron2: its data sets, its networks, its training, its pictures.

    register("my_train", "train.json", "train/JPEGImages", level="box")
    cfg = get_cfg()
    add_evis_config(cfg, "eigencluster.stage2")
    cfg.DATASETS.TRAIN, cfg.MODEL.EVIS.CLASSES = ("my_train",), 40
    Trainer(cfg).train()

What is learned, and from what, is a paper's: `cfg.MODEL.EVIS.METHOD` names a package that holds the
modules `method` and `recipes`, as a paper's folder does, and `RECIPE` one of its recipes. The same
names build the model in a LazyConfig:

    LazyCall(EvisVideoMask2Former)(recipe="eigencluster.stage2", changes=["settings.beta", 1.0],
                                   classes=40)

A record of the catalogue is a video. A training input has `clip`, an `evis.data.clips.Clip`, that
of prediction `image`, a list of T tensors (3, h, w), RGB 0..255; its output has `instances`, one
`Instances` a frame, and `tracks`, a list of evis's `PredictedTrack`.
"""

try:
    import detectron2  # noqa: F401
except ImportError as error:
    raise ImportError(
        "evis.integrations.detectron2 needs detectron2. evis's environment.yml lists it (conda env "
        "create -f environment.yml). Or build it beside torch and torchvision, from a checkout of "
        "facebookresearch/detectron2: pip install --no-build-isolation ./detectron2"
    ) from error

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import (
    DatasetCatalog,
    Metadata,
    MetadataCatalog,
    build_detection_test_loader,
    build_detection_train_loader,
)
from detectron2.engine import DefaultTrainer
from detectron2.evaluation import DatasetEvaluator
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import BitMasks, Instances
from detectron2.utils import comm
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from evis.criterion.step import Step
from evis.data import masks, predictions, ytvis
from evis.data.errors import DataError
from evis.data.frames import read_picture
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Supervision
from evis.inference import Options, predict
from evis.metrics.ytvis import evaluate
from evis.training.batches import clips_of, together
from evis.training.optimiser import adamw, set_learning_rate
from evis.training.recipe import Recipe, changed
from evis.training.start import fresh

METHOD = "evis.papers.eigencluster"  # the default


def recipe_of(method: str, name: str, changes: Sequence[Any] = ()) -> Recipe:
    """A method's recipe by name; before it, "toy." shrinks it to toy data.

    changes: keys and values in turn, as `evis train --set` takes them: ["settings.beta", 1.0].
    """
    recipes, own = import_module(f"{method}.recipes"), name.removeprefix("toy.")
    recipe = recipes.named(own) if own == name else recipes.toy(recipes.named(own))
    return changed(recipe, dict(zip(changes[::2], changes[1::2], strict=True)))


def add_evis_config(
    cfg: CfgNode, recipe: str, changes: Sequence[Any] = (), method: str = METHOD
) -> None:
    """Add evis's keys to detectron2's, and give these the values of a recipe.

    As everywhere in detectron2, all of them can then be changed, by yaml too. What it learns from
    is DATASETS.TRAIN, not the recipe's mixture, and it starts from MODEL.WEIGHTS. Clips are drawn
    and sized as the recipe says, which CHANGES changes: ["shorter_sides", [480], "frames", 5].
    """
    values = recipe_of(method, recipe, changes)
    lost = [name for name in ("ema_decay", "renames") if name in changes[::2]]
    if lost or values.precision == "bf16":
        problem = f"detectron2's trainer does nothing for {', '.join(lost) or 'bf16'}"
        raise DataError(problem, field="CHANGES", remedy="Leave it out, or train by evis train")
    cfg.MODEL.META_ARCHITECTURE = EvisVideoMask2Former.__name__
    own = {"METHOD": method, "RECIPE": recipe, "CHANGES": list(changes), "CLASSES": 40}
    cfg.MODEL.EVIS = CfgNode(own | {"TRACKS": 10})  # predicted a video
    cfg.INPUT.FORMAT = "RGB"
    solver = cfg.SOLVER
    solver.IMS_PER_BATCH, solver.MAX_ITER = values.batch, values.steps
    solver.BASE_LR, solver.WEIGHT_DECAY = values.learning_rate, values.weight_decay
    solver.BACKBONE_MULTIPLIER = values.backbone_multiplier
    solver.WARMUP_ITERS, solver.WARMUP_FACTOR = values.warm_up_steps, 1 / (values.warm_up_steps + 1)
    kind = "Cosine" if values.schedule == "cosine" else "MultiStep"
    solver.LR_SCHEDULER_NAME = f"Warmup{kind}LR"
    solver.STEPS = values.milestones if values.schedule == "step" else ()
    solver.CLIP_GRADIENTS.ENABLED, solver.CLIP_GRADIENTS.CLIP_VALUE = True, values.clip_norm
    solver.CLIP_GRADIENTS.CLIP_TYPE = "full_model"
    solver.AMP.ENABLED = values.precision == "fp16"


def register(
    name: str, annotations_json: str | Path, frames_root: str | Path, level: Supervision = "box"
) -> Metadata:
    """Enter a set in the YouTube-VIS layout into detectron2's catalogues; its metadata.

    What the level forbids is gone before training sees it: the metadata's `evis_dataset` is the
    weakened set, and its `json_file` is for evaluation.
    """
    dataset = weaken(ytvis.read(annotations_json, frames_root), level)
    records = [
        {"video_id": video.id, "height": video.height, "width": video.width}
        | {"file_names": [str(Path(frames_root) / frame) for frame in video.frames]}
        for video in dataset.videos
    ]
    DatasetCatalog.register(name, lambda: records)
    return MetadataCatalog.get(name).set(
        thing_classes=[category.name for category in dataset.categories],
        json_file=str(annotations_json),
        image_root=str(frames_root),
        evis_dataset=dataset,
    )


def whole_video(record: dict[str, Any]) -> dict[str, Any]:
    """The input for prediction: all frames of a record as they are."""
    frames = [read_picture(Path(name)).copy() for name in record["file_names"]]
    return {**record, "image": [torch.from_numpy(frame).permute(2, 0, 1) for frame in frames]}


@META_ARCH_REGISTRY.register()
class EvisVideoMask2Former(nn.Module):
    """Videos in detectron2's form to losses (training) or to `Instances` a frame (evaluation).

    `model` is evis's own network: `evis.models.checkpoints.load_into(this.model, path)` fills it
    with official weights, `save(this.model, path)` makes a file for `evis predict`.
    """

    @configurable
    def __init__(
        self,
        recipe: str,
        changes: Sequence[Any] = (),
        classes: int = 40,
        tracks: int = 10,
        method: str = METHOD,
    ):
        super().__init__()
        self.recipe, self.tracks = recipe_of(method, recipe, changes), tracks
        module = import_module(f"{method}.method")
        self.loss = module.loss(self.recipe)
        self.model = fresh(self.recipe, [f"class {n}" for n in range(1, classes + 1)], module)
        self.model.backbone.requires_grad_(not self.recipe.freeze_backbone)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        if cfg.INPUT.FORMAT != "RGB":
            raise DataError("evis's model reads RGB", field="INPUT.FORMAT", remedy="Set it to RGB")
        return {key.lower(): value for key, value in cfg.MODEL.EVIS.items()}

    def train(self, mode: bool = True) -> "EvisVideoMask2Former":
        super().train(mode)
        if self.recipe.freeze_backbone:
            self.model.backbone.eval()
        return self

    def forward(self, batch: list[dict[str, Any]]) -> dict[str, Tensor] | list[dict[str, Any]]:
        return self.losses(batch) if self.training else [self.predict(record) for record in batch]

    def losses(self, batch: list[dict[str, Any]]) -> dict[str, Tensor]:
        """What evis minimises, `loss`; the storage gets every term, before its weight."""
        storage = get_event_storage()
        clips = [record["clip"] for record in batch]
        objects = comm.all_gather(sum(len(clip.labels) for clip in clips))
        step = Step(storage.iter, sum(objects) / len(objects))
        frames = together(clips).frames.to(next(self.model.parameters()).device)
        terms = self.loss(self.model(frames), clips, step, torch.default_generator)
        total = terms.pop("total")
        storage.put_scalars(**{name: float(value) for name, value in terms.items()})
        return {"loss": total}

    def predict(self, record: dict[str, Any]) -> dict[str, Any]:
        frames = [image.permute(1, 2, 0).cpu().numpy() for image in record["image"]]
        tracks = predict(self.model, frames, Options(top=self.tracks), progress=False)
        shape = len(frames), *frames[0].shape[:2]
        return {"instances": to_instances(tracks, shape), "tracks": tracks}


def to_instances(tracks: Sequence[PredictedTrack], shape: tuple[int, int, int]) -> list[Instances]:
    """Tracks of one video, best first, as an `Instances` a frame: of the tracks seen in it.

    shape: how many frames, and their height and width. A class is counted from 0, as detectron2
    does; `ID`, by which `VideoVisualizer` colours, is a track's place in `tracks`.
    """
    frames, (length, *size) = [], shape
    for frame in range(length):
        encoded = [track.masks[frame] for track in tracks]
        places = np.array([n for n, mask in enumerate(encoded) if mask is not None], dtype=int)
        filled = np.array([masks.decode(encoded[n]) for n in places], dtype=bool)
        filled = torch.from_numpy(filled.reshape(-1, *size))
        frames.append(
            Instances(
                tuple(size),
                pred_masks=filled,
                pred_boxes=BitMasks(filled).get_bounding_boxes(),
                scores=torch.tensor([tracks[n].score for n in places]),
                pred_classes=torch.tensor([tracks[n].category_id - 1 for n in places], dtype=int),
                ID=places,  # not a tensor, whose elements no visualizer finds again
            )
        )
    return frames


class Trainer(DefaultTrainer):
    """`DefaultTrainer` with evis's clips, AdamW and evaluation."""

    @classmethod
    def build_train_loader(cls, cfg: CfgNode):
        """Clips as the recipe draws them, of the sets of DATASETS.TRAIN in turn."""
        own = cfg.MODEL.EVIS
        recipe = recipe_of(own.METHOD, own.RECIPE, own.CHANGES)
        datasets = [MetadataCatalog.get(name).evis_dataset for name in cfg.DATASETS.TRAIN]
        sets = [clips_of(recipe, weaken(dataset, recipe.supervision)) for dataset in datasets]

        def clip(number: int) -> dict[str, Any]:
            turn, which = divmod(number, len(sets))
            return {"clip": sets[which][turn]}

        return build_detection_train_loader(
            list(range(cfg.SOLVER.MAX_ITER * cfg.SOLVER.IMS_PER_BATCH)),
            mapper=clip,
            total_batch_size=cfg.SOLVER.IMS_PER_BATCH,
            aspect_ratio_grouping=False,
            num_workers=cfg.DATALOADER.NUM_WORKERS,
        )

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str):
        return build_detection_test_loader(DatasetCatalog.get(dataset_name), mapper=whole_video)

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> "VideoEvaluator":
        return VideoEvaluator(dataset_name, Path(cfg.OUTPUT_DIR) / "inference")

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: EvisVideoMask2Former) -> torch.optim.AdamW:
        rate, clip = cfg.SOLVER.BASE_LR, cfg.SOLVER.CLIP_GRADIENTS
        learned = model.loss if isinstance(model.loss, nn.Module) else None
        others = cfg.SOLVER.WEIGHT_DECAY, cfg.SOLVER.BACKBONE_MULTIPLIER
        optimiser = adamw(model.model, rate, *others, learned)
        set_learning_rate(optimiser, rate)

        def before_step(*_) -> None:
            if clip.ENABLED:  # under AMP a fused AdamW undoes the gradients' scale after this
                most = clip.CLIP_VALUE * float(getattr(optimiser, "grad_scale", None) or 1.0)
                nn.utils.clip_grad_norm_(model.parameters(), most, clip.NORM_TYPE)

        optimiser.register_step_pre_hook(before_step)
        return optimiser


class VideoEvaluator(DatasetEvaluator):
    """Writes results.json as the evaluation servers take it; scores it where masks are known."""

    def __init__(self, dataset_name: str, folder: str | Path):
        self.ground_truth = ytvis.read(MetadataCatalog.get(dataset_name).json_file)
        self.path = Path(folder) / dataset_name / "results.json"

    def reset(self) -> None:
        self.tracks: list[PredictedTrack] = []

    def process(self, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        ids = [category.id for category in self.ground_truth.categories]
        for record, output in zip(inputs, outputs, strict=True):
            self.tracks += [
                replace(track, video_id=record["video_id"], category_id=ids[track.category_id - 1])
                for track in output["tracks"]
            ]

    def evaluate(self) -> dict[str, dict[str, float]] | None:
        gathered = comm.gather(self.tracks)
        if not comm.is_main_process():
            return None
        predictions.write(chain(*gathered), self.path)
        if self.ground_truth.supervision != "mask":
            return {}
        return {"segm": evaluate(self.ground_truth, self.path, progress=False).stats}
