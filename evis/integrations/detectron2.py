"""evis inside detectron2: its data sets, its model, its training, its pictures.

    register("my_train", "train.json", "train/JPEGImages", level="box")
    cfg = get_cfg()
    add_evis_config(cfg, papers.named("eigencluster.stage2"))
    cfg.DATASETS.TRAIN, cfg.MODEL.EVIS.CLASSES = ("my_train",), 40
    Trainer(cfg).train()

A record of the catalogue is a video; a video's `annotations` are one list a frame. A model's input
has `image`, a list of T tensors (3, h, w), RGB 0..255, and in training `instances`, one `Instances`
a frame with gt_boxes, gt_classes, gt_masks (BitMasks; under masks only) and gt_ids, which tell who
is who (below 0: not in this frame). Its output is `instances`, one `Instances` a frame.
"""

try:
    import detectron2  # noqa: F401
except ImportError as error:
    raise ImportError(
        "evis.integrations.detectron2 needs detectron2, which is not installed here. evis's "
        "environment.yml lists it (conda env create -f environment.yml). Or build it beside your "
        "torch and torchvision, from a checkout of the repository facebookresearch/detectron2: "
        "pip install --no-build-isolation ./detectron2"
    ) from error

from collections.abc import Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, LazyCall, configurable
from detectron2.data import (
    DatasetCatalog,
    Metadata,
    MetadataCatalog,
    build_detection_test_loader,
    build_detection_train_loader,
    detection_utils,
)
from detectron2.data import transforms as T
from detectron2.engine import DefaultTrainer
from detectron2.evaluation import DatasetEvaluator
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.solver.build import maybe_add_gradient_clipping
from detectron2.structures import BitMasks, BoxMode, Instances
from detectron2.utils import comm
from detectron2.utils.colormap import colormap
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from evis.data import masks, predictions, ytvis
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.data.errors import DataError
from evis.data.frames import read_picture
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Supervision, VISDataset
from evis.inference.instances import choose, encode
from evis.losses.criterion import criterion
from evis.losses.settings import Settings
from evis.metrics.ytvis import evaluate
from evis.models import VideoMask2Former, named
from evis.training.batches import together
from evis.training.optimiser import adamw, set_learning_rate
from evis.training.recipe import Recipe

# Data


def register(
    name: str, annotations_json: str | Path, frames_root: str | Path, level: Supervision = "box"
) -> Metadata:
    """Enter a set in the YouTube-VIS layout into detectron2's catalogues; its metadata.

    `level` is "mask", "box" or, for a split without annotations, "none". What it forbids is gone
    before detectron2 sees a record. The metadata's `json_file` is for evaluation.
    """
    if level not in ("mask", "box", "none"):
        raise DataError(
            f"a detectron2 record can't hold the level {level!r}",
            field="level",
            remedy='Choose "mask", "box" or "none"',
        )
    dataset = weaken(ytvis.read(annotations_json, frames_root), level)
    DatasetCatalog.register(name, lambda: records(dataset, frames_root))
    colours = colormap(rgb=True).astype(int)
    return MetadataCatalog.get(name).set(
        thing_classes=[category.name for category in dataset.categories],
        thing_colors=[colours[n % len(colours)].tolist() for n, _ in enumerate(dataset.categories)],
        thing_dataset_id_to_contiguous_id={c.id: n for n, c in enumerate(dataset.categories)},
        evaluator_type="ytvis",
        json_file=str(annotations_json),
        image_root=str(frames_root),
    )


def records(dataset: VISDataset, frames_root: str | Path) -> list[dict[str, Any]]:
    """The data set as detectron2 has it: a record a video, its annotations a list a frame."""
    labels = {category.id: n for n, category in enumerate(dataset.categories)}
    found = []
    for video in dataset.videos:
        annotations: list[list[dict[str, Any]]] = [[] for _ in video.frames]
        for track in dataset.tracks_of(video.id):
            for frame, box in enumerate(track.boxes):
                if box is None:
                    continue
                annotation = {
                    "id": track.id,
                    "category_id": labels[track.category_id],
                    "bbox": list(box),
                    "bbox_mode": BoxMode.XYWH_ABS,
                    "iscrowd": int(track.is_crowd),
                }
                if track.masks is not None:
                    annotation["segmentation"] = dict(track.masks[frame])
                annotations[frame].append(annotation)
        found.append(
            {
                "file_names": [str(Path(frames_root) / frame) for frame in video.frames],
                "height": video.height,
                "width": video.width,
                "length": video.length,
                "video_id": video.id,
                "annotations": annotations,
            }
        )
    return found


class ClipMapper:
    """A record to a model's input: some frames of it to train on, or all of them to predict on.

    One draw of the augmentations (`cfg.INPUT`'s) holds for the whole clip.
    """

    @configurable
    def __init__(self, augmentations: list[T.Augmentation], frames: int | None, frame_range: int):
        self.augmentations = T.AugmentationList(augmentations)
        self.frames, self.frame_range = frames, frame_range

    @classmethod
    def from_config(cls, cfg: CfgNode, is_train: bool = True) -> dict[str, Any]:
        return {
            "augmentations": detection_utils.build_augmentation(cfg, is_train),
            "frames": cfg.INPUT.SAMPLING_FRAME_NUM if is_train else None,
            "frame_range": cfg.INPUT.SAMPLING_FRAME_RANGE,
        }

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        chosen = self._choose(record["length"])
        pictures = [
            read_picture(Path(record["file_names"][frame]), record["video_id"], frame)
            for frame in chosen
        ]
        transforms = self.augmentations(T.AugInput(pictures[0]))
        pictures = [transforms.apply_image(picture).copy() for picture in pictures]
        size = pictures[0].shape[:2]
        found = {key: value for key, value in record.items() if key != "annotations"}
        found["image"] = [torch.from_numpy(p).permute(2, 0, 1) for p in pictures]
        if self.frames is not None:
            found["instances"] = [
                _ground_truth(record["annotations"][frame], transforms, size) for frame in chosen
            ]
        return found

    def _choose(self, length: int) -> list[int]:
        """As `evis.data.clips` draws them: around a random frame, none twice if that can be."""
        if self.frames is None:
            return list(range(length))
        reference = np.random.randint(length)
        near = [t for t in range(length) if 0 < abs(t - reference) <= self.frame_range]
        pool, wanted = near or [reference], self.frames - 1
        drawn = np.random.choice(pool, wanted, replace=len(pool) < wanted)
        return sorted([reference, *drawn.tolist()])


def _ground_truth(
    annotations: list[dict[str, Any]], transforms: T.TransformList, size: tuple[int, int]
) -> Instances:
    kept = [dict(annotation) for annotation in annotations if not annotation["iscrowd"]]
    moved = [detection_utils.transform_instance_annotations(a, transforms, size) for a in kept]
    instances = detection_utils.annotations_to_instances(moved, size, mask_format="bitmask")
    instances.gt_ids = torch.tensor([a["id"] for a in kept], dtype=torch.long)
    return instances


def clip_of(record: dict[str, Any], with_masks: bool) -> Clip:
    """A training input as a `Clip`. Without `with_masks` no mask is read, even if there is one."""
    frames = torch.stack(list(record["image"]))  # (T, 3, h, w)
    seen = [
        (identity, t, n)
        for t, instances in enumerate(record["instances"])
        for n, identity in enumerate(instances.gt_ids.tolist())
        if identity >= 0
    ]
    order = {identity: n for n, identity in enumerate(dict.fromkeys(i for i, _, _ in seen))}
    shape = len(order), len(frames)
    labels = torch.zeros(len(order), dtype=torch.long)
    visible = torch.zeros(shape, dtype=torch.bool)
    boxes = torch.zeros(*shape, 4)
    filled = torch.zeros(*shape, *frames.shape[-2:], dtype=torch.bool) if with_masks else None
    for identity, t, n in seen:
        instances, target = record["instances"][t], order[identity]
        labels[target], visible[target, t] = instances.gt_classes[n], True
        boxes[target, t] = instances.gt_boxes.tensor[n]
        if with_masks:
            filled[target, t] = instances.gt_masks.tensor[n]
    return Clip(
        frames=frames,
        video_id=record.get("video_id", 0),
        frame_indices=tuple(range(len(frames))),
        track_ids=tuple(order),
        labels=labels,
        visible=visible,
        boxes=boxes,
        masks=filled,
    )


# Model


@META_ARCH_REGISTRY.register()
class EvisVideoMask2Former(nn.Module):
    """Videos in detectron2's form to losses (training) or to `Instances` a frame (evaluation).

    `model` is evis's own network: `evis.models.checkpoints.load_into(this.model, path)` fills it
    with official weights, `save(this.model, path)` makes a file for `evis predict`.
    """

    @configurable
    def __init__(
        self,
        model: VideoMask2Former,
        settings: Settings,
        tracks: int = 10,
        freeze_backbone: bool = False,
    ):
        super().__init__()
        self.model, self.settings, self.tracks = model, settings, tracks
        self.freeze_backbone = freeze_backbone
        model.backbone.requires_grad_(not freeze_backbone)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        if cfg.INPUT.FORMAT != "RGB":
            raise DataError("evis's model reads RGB", field="INPUT.FORMAT", remedy="Set it to RGB")
        own = cfg.MODEL.EVIS
        return {
            "model": VideoMask2Former(named(own.SIZE, own.CLASSES)),
            "settings": Settings(**{key.lower(): value for key, value in own.LOSS.items()}),
            "tracks": own.TRACKS,
            "freeze_backbone": own.FREEZE_BACKBONE,
        }

    def train(self, mode: bool = True) -> "EvisVideoMask2Former":
        super().train(mode)
        if self.freeze_backbone:
            self.model.backbone.eval()
        return self

    def forward(self, batch: list[dict[str, Any]]) -> dict[str, Tensor] | list[dict[str, Any]]:
        return self.losses(batch) if self.training else [self.predict(record) for record in batch]

    def losses(self, batch: list[dict[str, Any]]) -> dict[str, Tensor]:
        """The weighted terms, which add up to what evis minimises; the storage gets TK, TEL and Q.

        The storage's iteration is the step that warms up the temporal term.
        """
        storage = get_event_storage()
        clips = [clip_of(record, self.settings.supervision == "mask") for record in batch]
        prediction = self.model(together(clips).frames.to(self.device))
        found = criterion(prediction, clips, self.settings, step=storage.iter)
        for name in found.keys() & {"tk", "tel", "qcc"}:
            storage.put_scalar(name, found[name].item())
        return {f"loss_{name}": value for name, value in weighted(found, self.settings).items()}

    @torch.no_grad()
    def predict(self, record: dict[str, Any]) -> dict[str, list[Instances]]:
        frames = torch.stack(list(record["image"])).to(self.device)  # (T, 3, h, w)
        seen = tuple(frames.shape[-2:])
        size = record.get("height", seen[0]), record.get("width", seen[1])
        return {"instances": to_instances(self.model(frames[None]), seen, size, self.tracks)}

    @property
    def device(self) -> torch.device:
        return self.model.mean.device


def weighted(found: dict[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    """The criterion's terms with their weights and Q, so that they add up to its `total`.

    Q multiplies the terms of space and time, and under "released" the class term too.
    """
    quality = found.get("qcc", 1.0)
    optimised = {}
    for name, value in found.items():
        term = name.rstrip("0123456789").rstrip("_")
        if term in settings.weights:
            spared = term == "class" and settings.flavour == "paper"
            optimised[name] = settings.weights[term] * value * (1.0 if spared else quality)
    return optimised


def to_instances(
    prediction: ClipPrediction, seen: tuple[int, int], size: tuple[int, int], tracks: int = 10
) -> list[Instances]:
    """The best tracks of one clip, an `Instances` a frame, on the CPU, with masks at `size`.

    seen: (height, width) of the frames that the model saw. A track is a query under a class; `ID`,
    by which `VideoVisualizer` colours, is its rank by score. A frame has the tracks seen in it.
    """
    queries, labels, scores = zip(*choose(prediction.class_logits[0].cpu(), tracks), strict=True)
    logits = prediction.mask_logits[0][list(queries)]  # (N, T, h, w)
    found = []
    for of_frame in logits.unbind(1):
        encoded = encode(of_frame, prediction.stride, seen, size)
        here = np.array([rank for rank, mask in enumerate(encoded) if mask is not None], dtype=int)
        stack = np.zeros((len(here), *size), dtype=bool)
        for n, rank in enumerate(here):
            stack[n] = masks.decode(encoded[rank])
        filled = torch.from_numpy(stack)
        found.append(
            Instances(
                size,
                pred_masks=filled,
                pred_boxes=BitMasks(filled).get_bounding_boxes(),
                scores=torch.tensor(scores)[here],
                pred_classes=torch.tensor(labels)[here],
                ID=here,  # not a tensor, whose elements no visualizer finds again
            )
        )
    return found


# Configuration


def add_evis_config(cfg: CfgNode, recipe: Recipe) -> None:
    """Add evis's keys to detectron2's, with the values of one of the lead paper's recipes.

    As everywhere in detectron2, CLASSES, LOSS and all else can then be changed, by yaml too. What
    it learns from is DATASETS.TRAIN, not the recipe's mixture, and it starts from MODEL.WEIGHTS.
    """
    cfg.MODEL.META_ARCHITECTURE = EvisVideoMask2Former.__name__
    cfg.MODEL.EVIS = CfgNode(
        {
            "SIZE": recipe.model,  # a name of evis.models.SIZES
            "CLASSES": 40,
            "TRACKS": 10,  # predicted a video
            "FREEZE_BACKBONE": recipe.freeze_backbone,
            "LOSS": {f.name.upper(): _typed(f, recipe.settings) for f in fields(Settings)},
        }
    )
    cfg.INPUT.FORMAT = "RGB"
    cfg.INPUT.SAMPLING_FRAME_NUM, cfg.INPUT.SAMPLING_FRAME_RANGE = recipe.frames, recipe.frame_range
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = recipe.shorter_sides, recipe.longest_side
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = recipe.shorter_sides[0], recipe.longest_side
    cfg.INPUT.RANDOM_FLIP = "horizontal" if recipe.flip else "none"
    solver = cfg.SOLVER
    solver.IMS_PER_BATCH, solver.MAX_ITER = recipe.batch, recipe.steps
    solver.BASE_LR, solver.WEIGHT_DECAY = recipe.learning_rate, recipe.weight_decay
    solver.BACKBONE_MULTIPLIER = recipe.backbone_multiplier
    solver.WARMUP_ITERS, solver.WARMUP_FACTOR = recipe.warm_up_steps, 1 / (recipe.warm_up_steps + 1)
    solver.LR_SCHEDULER_NAME = (
        "WarmupCosineLR" if recipe.schedule == "cosine" else "WarmupMultiStepLR"
    )
    solver.STEPS = recipe.milestones
    solver.CLIP_GRADIENTS.ENABLED, solver.CLIP_GRADIENTS.CLIP_VALUE = True, recipe.clip_norm
    solver.CLIP_GRADIENTS.CLIP_TYPE = "full_model"
    solver.AMP.ENABLED = recipe.precision == "fp16"


def _typed(field: Field, settings: Settings) -> Any:
    """The value; a float field's 0 as 0.0, since a config keeps the type that it started with."""
    value = getattr(settings, field.name)
    return float(value) if field.type is float else value


def lazy_model(size: str, classes: int, **settings):
    """The model as a LazyConfig node, to be changed at will and built by `instantiate`."""
    return LazyCall(EvisVideoMask2Former)(
        model=LazyCall(VideoMask2Former)(config=LazyCall(named)(size=size, classes=classes)),
        settings=LazyCall(Settings)(**settings),
        tracks=10,
        freeze_backbone=False,
    )


# Training and evaluation


class Trainer(DefaultTrainer):
    """`DefaultTrainer` with evis's clips, AdamW and evaluation."""

    @classmethod
    def build_train_loader(cls, cfg: CfgNode):
        kept = [
            record
            for name in cfg.DATASETS.TRAIN
            for record in DatasetCatalog.get(name)
            if any(not a["iscrowd"] for frame in record["annotations"] for a in frame)
        ]
        if not kept:
            raise DataError(
                f"no video of {', '.join(cfg.DATASETS.TRAIN) or 'DATASETS.TRAIN'} has an object",
                remedy='Register a set with annotations, at the level "box" or "mask"',
            )
        return build_detection_train_loader(cfg, dataset=kept, mapper=ClipMapper(cfg, True))

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str):
        return build_detection_test_loader(
            DatasetCatalog.get(dataset_name),
            mapper=ClipMapper(cfg, False),
            num_workers=cfg.DATALOADER.NUM_WORKERS,
        )

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> "VideoEvaluator":
        return VideoEvaluator(dataset_name, Path(cfg.OUTPUT_DIR) / "inference")

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: EvisVideoMask2Former) -> torch.optim.AdamW:
        solver = cfg.SOLVER
        rates = solver.BASE_LR, solver.WEIGHT_DECAY, solver.BACKBONE_MULTIPLIER
        optimiser = adamw(model.model, *rates)
        set_learning_rate(optimiser, solver.BASE_LR)
        clip = solver.CLIP_GRADIENTS
        if not clip.ENABLED or clip.CLIP_TYPE != "full_model":
            return maybe_add_gradient_clipping(cfg, optimiser)  # detectron2's own kinds, or none

        def before_step(*_) -> None:
            nn.utils.clip_grad_norm_(model.parameters(), clip.CLIP_VALUE, clip.NORM_TYPE)

        optimiser.register_step_pre_hook(before_step)
        return optimiser


class VideoEvaluator(DatasetEvaluator):
    """Writes results.json as the evaluation servers take it; scores it where masks are known."""

    def __init__(self, dataset_name: str, folder: str | Path):
        metadata = MetadataCatalog.get(dataset_name)
        self.ground_truth = ytvis.read(metadata.json_file)
        self.path = Path(folder) / dataset_name / "results.json"
        self.reset()

    def reset(self) -> None:
        self.tracks: list[PredictedTrack] = []

    def process(self, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        categories = [category.id for category in self.ground_truth.categories]
        for record, output in zip(inputs, outputs, strict=True):
            self.tracks += to_tracks(record["video_id"], output["instances"], categories)

    def evaluate(self) -> dict[str, dict[str, float]] | None:
        gathered = comm.gather(self.tracks)
        if not comm.is_main_process():
            return None
        predictions.write([track for tracks in gathered for track in tracks], self.path)
        if self.ground_truth.supervision != "mask":
            return {}
        return {"segm": evaluate(self.ground_truth, self.path, progress=False).stats}


def to_tracks(
    video_id: int, instances: Sequence[Instances], categories: Sequence[int]
) -> list[PredictedTrack]:
    """A video's `Instances`, one a frame, joined by `ID`; categories: a class's id in the file."""
    found: dict[int, tuple[int, float, list]] = {}
    for frame, of_frame in enumerate(instances):
        labels, scores = of_frame.pred_classes.tolist(), of_frame.scores.tolist()
        for n, identity in enumerate(of_frame.ID.tolist()):
            empty = [None] * len(instances)
            _, _, rows = found.setdefault(identity, (labels[n], scores[n], empty))
            rows[frame] = masks.encode(of_frame.pred_masks[n].numpy())
    return [
        PredictedTrack(video_id, categories[label], score, tuple(rows))
        for label, score, rows in found.values()
    ]
