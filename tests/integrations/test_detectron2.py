"""evis.integrations.detectron2 against the real detectron2, where it is installed.

It imports without its compiled operators, which none of this calls: a checkout on PYTHONPATH with
an empty `detectron2/_C.py`, beside fvcore, iopath, omegaconf, hydra-core and a torchvision that
fits torch, is enough to run these tests on any machine.
"""

import importlib
import importlib.util
import json
import math
import sys

import numpy as np
import pytest
import torch

from evis.criterion.step import Step
from evis.data import masks, toy, ytvis
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.inference import Options, predict
from evis.papers.eigencluster.settings import RELEASED
from evis.training.batches import clips_of, together
from evis.training.optimiser import learning_rate

MODULE = "evis.integrations.detectron2"
ABSENT = importlib.util.find_spec("detectron2") is None
needs_detectron2 = pytest.mark.skipif(
    ABSENT, reason="detectron2 is not installed; evis's environment.yml lists it"
)
if not ABSENT:
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.config import LazyCall, LazyConfig, get_cfg, instantiate
    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.modeling import build_model
    from detectron2.utils.events import EventStorage
    from detectron2.utils.video_visualizer import VideoVisualizer
    from detectron2.utils.visualizer import Visualizer

    from evis.integrations import detectron2 as d2

HEIGHT, WIDTH = 64, 96


def test_without_detectron2_the_import_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    assert importlib.import_module("evis.integrations")
    with pytest.raises(ImportError, match=r"environment\.yml .* facebookresearch/detectron2"):
        importlib.import_module(MODULE)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    toy.build("toy-ytvis19", root, videos=6, seed=3, progress=False)
    return root


@pytest.fixture(scope="module")
def catalogue(root):
    """The toy set, registered as "toy_mask" and "toy_box"."""
    for level in ("mask", "box"):
        d2.register(f"toy_{level}", root / "train.json", root / "train/JPEGImages", level)
    yield ytvis.read(root / "train.json", root / "train/JPEGImages")
    for level in ("mask", "box"):
        DatasetCatalog.remove(f"toy_{level}")
        MetadataCatalog.remove(f"toy_{level}")


SMALL = ["model", "tiny_s", "settings.points", 500]


def configured(stage: str, folder=None, changes=(), level="box"):
    """A config of the smallest model for the toy set on the CPU."""
    cfg = get_cfg()
    d2.add_evis_config(cfg, f"toy.{stage}", [*SMALL, *changes])
    cfg.MODEL.DEVICE, cfg.MODEL.EVIS.CLASSES = "cpu", 8
    cfg.DATALOADER.NUM_WORKERS, cfg.SEED = 0, 5
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = (f"toy_{level}",), ()
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER, cfg.SOLVER.WARMUP_ITERS = 2, 2, 0
    cfg.OUTPUT_DIR = str(folder)
    return cfg


def batch(cfg) -> list[dict]:
    torch.manual_seed(0)  # the sampler draws clips
    cfg.SEED = 0
    return next(iter(d2.Trainer.build_train_loader(cfg)))


def loss(model, inputs, step: int = 200) -> torch.Tensor:
    model.train()
    torch.manual_seed(0)  # the criterion draws points
    with EventStorage(step) as storage:
        (total,) = model(inputs).values()
    loss.terms = {name: value for name, (value, _) in storage.latest().items()}
    return total


@needs_detectron2
@pytest.mark.parametrize("change", [["ema_decay", 0.9], ["precision", "bf16"], ["renames", ()]])
def test_changes_that_its_trainer_would_drop_are_refused(change):
    with pytest.raises(DataError, match="field CHANGES: detectron2's trainer does nothing for"):
        configured("eigencluster.stage2", changes=change)


# Data


@needs_detectron2
def test_a_registered_set_is_in_the_catalogues(catalogue, root):
    metadata, records = MetadataCatalog.get("toy_mask"), DatasetCatalog.get("toy_mask")
    assert metadata.thing_classes == [category.name for category in catalogue.categories]
    assert metadata.json_file == str(root / "train.json")
    assert metadata.image_root == str(root / "train/JPEGImages")
    assert [record["video_id"] for record in records] == [v.id for v in catalogue.videos]
    for record, video in zip(records, catalogue.videos, strict=True):
        assert (record["height"], record["width"]) == (video.height, video.width)
        frames = d2.whole_video(record)["image"]
        assert len(frames) == video.length
        assert np.array_equal(frames[3].permute(1, 2, 0), catalogue.frame(video.id, 3))
    assert metadata.evis_dataset.tracks == catalogue.tracks


@needs_detectron2
def test_training_sees_what_the_level_and_the_recipe_allow(catalogue):
    assert MetadataCatalog.get("toy_box").evis_dataset == weaken(catalogue, "box")
    for level in ("box", "mask"):  # under boxes, masks make no difference
        (first, *_) = batch(configured("eigencluster.stage2", level=level))
        assert first["clip"].masks is None and first["clip"].boxes is not None
    changes = ["settings.supervision", "mask"]
    (first, *_) = batch(configured("eigencluster.stage2", changes=changes, level="mask"))
    assert first["clip"].masks is not None
    with pytest.raises(DataError, match="asks for more"):
        batch(configured("eigencluster.stage2", changes=changes, level="box"))


@needs_detectron2
def test_training_clips_are_evis_own(catalogue):
    cfg = configured("eigencluster.stage2", changes=["frames", 4, "frame_range", 3])
    cfg.DATASETS.TRAIN = ("toy_box", "toy_mask")
    recipe = d2.recipe_of(cfg.MODEL.EVIS.METHOD, cfg.MODEL.EVIS.RECIPE, cfg.MODEL.EVIS.CHANGES)
    wanted = clips_of(recipe, weaken(catalogue, "box"))
    loader = iter(d2.Trainer.build_train_loader(cfg))
    found = [record["clip"] for _ in range(2) for record in next(loader)]  # 4 clips of 2 passes
    assert all(len(clip.frame_indices) == 4 for clip in found)
    for turn in range(2):
        same = [c for c in found if torch.equal(c.frames, wanted[turn].frames)]
        assert len(same) == 2  # one of each set
        assert torch.equal(same[0].boxes, wanted[turn].boxes)


@needs_detectron2
def test_a_level_that_cannot_be_is_refused(catalogue, root, tmp_path):
    annotations, frames = root / "train.json", root / "train/JPEGImages"
    content = json.loads(annotations.read_text())
    del content["annotations"]
    (tmp_path / "valid.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="asks for more"):
        d2.register("toy_refused", tmp_path / "valid.json", frames, "box")
    assert "toy_refused" not in DatasetCatalog
    d2.register("toy_unlabelled", tmp_path / "valid.json", frames, "none")
    cfg = configured("eigencluster.stage2")
    cfg.DATASETS.TRAIN = ("toy_unlabelled",)
    with pytest.raises(DataError, match="asks for more"):
        d2.Trainer.build_train_loader(cfg)


# Model


@needs_detectron2
@pytest.mark.parametrize(
    "changes",
    [
        ["settings.supervision", "mask"],
        [],
        [text for name, choice in RELEASED.items() for text in (f"settings.{name}", choice)],
        ["settings.kmeans", "soft"],
    ],
    ids=["masks", "paper", "released", "soft Q"],
)
def test_the_loss_is_what_evis_minimises(catalogue, changes):
    cfg = configured("eigencluster.stage3", changes=changes, level="mask")
    cfg.SOLVER.IMS_PER_BATCH = 6
    torch.manual_seed(0)
    model, inputs = build_model(cfg), batch(cfg)
    total = loss(model, inputs)
    total.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    torch.manual_seed(0)
    clips = [record["clip"] for record in inputs]
    step = Step(200, float(sum(len(clip.labels) for clip in clips)))
    terms = model.loss(model.model(together(clips).frames), clips, step, torch.default_generator)
    terms["total"].backward()
    assert math.isclose(total.item(), terms["total"].item(), rel_tol=1e-6)
    assert loss.terms.keys() == terms.keys() - {"total"}
    for name, parameter in model.named_parameters():
        if name in gradients:
            torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-3, atol=1e-5)


@needs_detectron2
def test_the_step_of_the_warm_up_is_the_storages(catalogue):
    cfg = configured("eigencluster.stage3", changes=["settings.warm_up_steps", 100])
    model, inputs = build_model(cfg), batch(cfg)
    temporal = []
    for step in (50, 1000):
        loss(model, inputs, step)
        temporal.append(loss.terms["temporal"])
    early, late = temporal
    assert late > 0 and math.isclose(early, 0.5 * late, rel_tol=1e-4)


@needs_detectron2
def test_yaml_and_lazy_config_name_the_same_model(catalogue, tmp_path):
    changes = ["model", "tiny_s", "settings.beta", 0.5]
    (tmp_path / "model.yaml").write_text(
        "MODEL:\n"
        "  META_ARCHITECTURE: EvisVideoMask2Former\n"
        f"  EVIS: {{RECIPE: toy.eigencluster.stage3, CLASSES: 8, CHANGES: {json.dumps(changes)}}}\n"
    )
    cfg = configured("eigencluster.stage2")
    cfg.merge_from_file(str(tmp_path / "model.yaml"))
    by_yaml = build_model(cfg)

    lazy = LazyCall(d2.EvisVideoMask2Former)(
        recipe="toy.eigencluster.stage3", changes=changes, classes=5
    )
    lazy.classes = 8
    LazyConfig.save(lazy, str(tmp_path / "lazy.yaml"))
    by_lazy = instantiate(LazyConfig.load(str(tmp_path / "lazy.yaml")))

    assert by_lazy.recipe == by_yaml.recipe
    assert by_yaml.recipe.settings.beta == 0.5 and by_yaml.recipe.freeze_backbone
    missing = DetectionCheckpointer(by_lazy)._load_model({"model": by_yaml.state_dict()})
    assert not missing.missing_keys
    inputs = batch(cfg)
    assert torch.equal(loss(by_yaml, inputs), loss(by_lazy, inputs))


@needs_detectron2
def test_pictures_in_another_order_of_colours_are_refused():
    cfg = configured("eigencluster.stage2")
    cfg.INPUT.FORMAT = "BGR"
    with pytest.raises(DataError, match=r"INPUT\.FORMAT"):
        build_model(cfg)


# Training


@needs_detectron2
def test_training_lowers_the_loss_saves_resumes_and_evaluates(catalogue, tmp_path):
    cfg = configured("eigencluster.stage2", tmp_path)
    cfg.SOLVER.MAX_ITER = 6
    cfg.SOLVER.LR_SCHEDULER_NAME = "WarmupMultiStepLR"
    torch.manual_seed(0)
    trainer = d2.Trainer(cfg)
    inputs = batch(cfg)
    before = loss(trainer.model, inputs).item()
    trainer.train()
    after = loss(trainer.model, inputs).item()
    assert math.isfinite(after) and after < before
    logged = [json.loads(line) for line in (tmp_path / "metrics.json").read_text().splitlines()]
    assert {"total_loss", "class", "projection_0", "tk"} <= set(logged[-1])

    again = build_model(cfg)
    DetectionCheckpointer(again).load(str(tmp_path / "model_final.pth"))
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name

    cfg.SOLVER.MAX_ITER, cfg.DATASETS.TEST = 7, ("toy_mask",)
    resumed = d2.Trainer(cfg)
    resumed.resume_or_load(resume=True)
    assert resumed.start_iter == 6
    resumed.train()
    assert set(resumed._last_eval_results["segm"]) >= {"AP", "AP50", "AR10"}
    assert (tmp_path / "inference/toy_mask/results.json").is_file()


@needs_detectron2
def test_a_frozen_backbone_stays_as_it_is(catalogue, tmp_path):
    cfg = configured("eigencluster.stage3", tmp_path)
    trainer = d2.Trainer(cfg)
    assert trainer.model.recipe.freeze_backbone
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.train()
    changed = {k for k, v in trainer.model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed and not any(name.startswith("model.backbone.") for name in changed)
    assert trainer.model.training and not trainer.model.model.backbone.training


@needs_detectron2
def test_the_optimiser_follows_the_recipe():
    changes = ["model", "tiny_s", "steps", 40, "warm_up_steps", 10]
    changes += ["schedule", "step", "milestones", [20]]
    cfg = get_cfg()
    d2.add_evis_config(cfg, "eigencluster.stage2", changes)
    cfg.MODEL.DEVICE = "cpu"
    model = build_model(cfg)
    optimiser = d2.Trainer.build_optimizer(cfg, model)
    schedule = d2.Trainer.build_lr_scheduler(cfg, optimiser)
    backbone = {id(p) for p in model.model.backbone.parameters()}
    for step in range(40):
        expected = learning_rate(model.recipe, step)
        for group in optimiser.param_groups:
            share = model.recipe.backbone_multiplier if id(group["params"][0]) in backbone else 1.0
            assert math.isclose(group["lr"], share * expected, rel_tol=1e-6), step
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimiser.step()
        schedule.step()
    norm = torch.stack([p.grad.square().sum() for p in model.parameters()]).sum().sqrt()
    assert math.isclose(norm.item(), model.recipe.clip_norm, rel_tol=1e-3)


@needs_detectron2
def test_milestones_lower_the_rate_under_their_own_schedule_alone():
    for schedule, after in (("constant", 1.0), ("step", 0.1)):
        changes = ["model", "tiny_s", "steps", 40, "warm_up_steps", 0]
        changes += ["schedule", schedule, "milestones", [20]]
        cfg = get_cfg()
        d2.add_evis_config(cfg, "eigencluster.stage2", changes)
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], cfg.SOLVER.BASE_LR)
        rates = d2.Trainer.build_lr_scheduler(cfg, optimiser)
        for _ in range(20):
            optimiser.step()
            rates.step()
        assert rates.get_last_lr() == pytest.approx([after * cfg.SOLVER.BASE_LR]), schedule


@needs_detectron2
def test_a_step_at_the_scale_of_fp16_is_the_step_without():
    """Fused, as on a GPU, AdamW gets its gradients scaled, and undoes that after the clipping."""
    cfg = get_cfg()
    d2.add_evis_config(cfg, "eigencluster.stage2", ["model", "tiny_s"])
    cfg.MODEL.DEVICE = "cpu"
    moves = []
    for enabled in (False, True):
        torch.manual_seed(0)
        model, scaler = build_model(cfg), torch.amp.GradScaler("cpu", enabled=enabled)
        optimiser = d2.Trainer.build_optimizer(cfg, model)
        optimiser._step_supports_amp_scaling = True
        for group in optimiser.param_groups:
            group["fused"] = True
        before = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        scaler.scale(torch.nn.utils.parameters_to_vector(model.parameters()).sum()).backward()
        scaler.step(optimiser)
        moves.append(torch.nn.utils.parameters_to_vector(model.parameters()).detach() - before)
    plain, scaled = moves
    assert plain.norm() > 0 and (scaled - plain).norm() < 1e-3 * plain.norm()


# Outputs


def two_objects() -> list[PredictedTrack]:
    """One moves right in frames 0 to 2; one of class 1, less sure, is in frames 2 and 3."""
    first, second = np.zeros((2, 4, 60, 88), dtype=bool)
    for t in range(3):
        first[t, 20:44, 4 + 16 * t : 28 + 16 * t] = True
    second[2:, 50:58, 70:80] = True
    encoded = [tuple(masks.encode(m) if m.any() else None for m in way) for way in (first, second)]
    return [PredictedTrack(1, 3, 0.9, encoded[0]), PredictedTrack(1, 1, 0.4, encoded[1])]


@needs_detectron2
def test_tracks_become_instances_of_every_frame():
    tracks = two_objects()
    first, _, both, alone = d2.to_instances(tracks, (4, 60, 88))
    assert first.image_size == (60, 88)
    assert first.pred_masks.shape == (1, 60, 88) and first.pred_masks.dtype == torch.bool
    assert (first.pred_classes.tolist(), first.ID.tolist()) == ([2], [0])
    assert first.pred_boxes.tensor.tolist() == [[4, 20, 28, 44]]
    assert (both.pred_classes.tolist(), both.ID.tolist()) == ([2, 0], [0, 1])
    assert np.array_equal(both.pred_masks[1], masks.decode(tracks[1].masks[2]))
    torch.testing.assert_close(both.scores, torch.tensor([0.9, 0.4]))
    assert len(both[both.scores > 0.5]) == 1
    assert (alone.pred_classes.tolist(), alone.ID.tolist()) == ([0], [1])
    nothing = d2.to_instances([PredictedTrack(1, 1, 0.4, (None, None))], (2, 60, 88))
    assert [len(instances) for instances in nothing] == [0, 0]
    assert [len(instances) for instances in d2.to_instances((), (3, 60, 88))] == [0, 0, 0]


@needs_detectron2
def test_predictions_are_those_of_evis(catalogue):
    cfg = configured("eigencluster.stage2")
    model = build_model(cfg).eval()
    (record, *_) = DatasetCatalog.get("toy_box")
    (output,) = model([d2.whole_video(record)])
    video = catalogue.subset([record["video_id"]])
    wanted = predict(model.model, video, Options(), progress=False)
    assert any(any(track.masks) for track in wanted)
    assert [(t.category_id, t.score, t.masks) for t in output["tracks"]] == [
        (t.category_id, t.score, t.masks) for t in wanted
    ]
    assert len(output["instances"]) == video.videos[0].length


@needs_detectron2
def test_the_visualizers_draw_them(catalogue):
    metadata = MetadataCatalog.get("toy_mask")
    frames = d2.to_instances(two_objects(), (4, 60, 88))
    grey = np.full((60, 88, 3), 128, dtype=np.uint8)
    drawn = Visualizer(grey, metadata).draw_instance_predictions(frames[2]).get_image()
    assert drawn.shape == grey.shape
    assert (drawn[20:44, 36:60] != 128).any(-1).all()  # within the first object, by now
    assert (drawn[20:44, 4:24] == 128).all()  # where it was in the first frame
    nothing = d2.to_instances(two_objects(), (4, 60, 88))[0][:0]
    assert (Visualizer(grey, metadata).draw_instance_predictions(nothing).get_image() == 128).all()

    video = VideoVisualizer(metadata)
    for instances in frames:
        video.draw_instance_predictions(grey, instances)
        assert set(video._assigned_colors) == set(instances.ID.tolist())
    (kept,) = video._assigned_colors.items()
    video.draw_instance_predictions(grey, frames[2])
    assert kept in video._assigned_colors.items() and len(video._assigned_colors) == 2


@needs_detectron2
def test_the_truth_scores_one(catalogue, tmp_path):
    evaluator = d2.VideoEvaluator("toy_mask", tmp_path)
    evaluator.reset()
    labels = {category.id: n for n, category in enumerate(catalogue.categories, start=1)}
    for video in catalogue.videos:
        tracks = [
            PredictedTrack(1, labels[track.category_id], 0.9, track.masks)
            for track in catalogue.tracks_of(video.id)
        ]
        evaluator.process([{"video_id": video.id}], [{"tracks": tracks}])
    assert evaluator.evaluate()["segm"]["AP"] == pytest.approx(1.0)
