"""evis.integrations.detectron2 against the real detectron2, where it is installed."""

import importlib
import importlib.util
import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.data import toy, ytvis
from evis.data.clip_prediction import ClipPrediction
from evis.data.errors import DataError
from evis.data.frames import read_picture
from evis.data.masks import decode
from evis.inference import Options, predict
from evis.losses.criterion import criterion
from evis.losses.settings import Settings
from evis.models import VideoMask2Former
from evis.models import named as model_named
from evis.papers.eigencluster import recipes
from evis.training.batches import together
from evis.training.optimiser import learning_rate

MODULE = "evis.integrations.detectron2"
ABSENT = importlib.util.find_spec("detectron2") is None
needs_detectron2 = pytest.mark.skipif(
    ABSENT, reason="detectron2 is not installed; evis's environment.yml lists it"
)
if not ABSENT:
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.config import LazyConfig, get_cfg, instantiate
    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.modeling import build_model
    from detectron2.structures import BitMasks, Boxes, Instances
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


def configured(stage: str, folder=None, **settings):
    """A config of the smallest model for the toy set on the CPU."""
    recipe = recipes.toy(recipes.named(stage))
    recipe = replace(recipe, model="tiny_s", settings=replace(recipe.settings, **settings))
    cfg = get_cfg()
    d2.add_evis_config(cfg, recipe)
    cfg.MODEL.DEVICE, cfg.MODEL.EVIS.CLASSES = "cpu", 8
    cfg.DATALOADER.NUM_WORKERS, cfg.SEED = 0, 5
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = (f"toy_{recipe.settings.supervision}",), ()
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER, cfg.SOLVER.WARMUP_ITERS = 2, 2, 0
    cfg.OUTPUT_DIR = str(folder)
    return cfg


def batch(level: str, cfg, count: int = 2) -> list[dict]:
    np.random.seed(1)
    mapper = d2.ClipMapper(cfg, True)
    return [mapper(record) for record in DatasetCatalog.get(f"toy_{level}")[:count]]


def losses(model, inputs, step: int = 200) -> dict[str, torch.Tensor]:
    model.train()
    torch.manual_seed(0)  # the criterion draws points
    with EventStorage(step):
        return model(inputs)


# Data


@needs_detectron2
def test_a_registered_set_is_in_the_catalogues(catalogue, root):
    metadata, records = MetadataCatalog.get("toy_mask"), DatasetCatalog.get("toy_mask")
    assert metadata.thing_classes == [category.name for category in catalogue.categories]
    assert len({tuple(colour) for colour in metadata.thing_colors}) == len(catalogue.categories)
    assert metadata.evaluator_type == "ytvis"
    assert metadata.json_file == str(root / "train.json")
    assert metadata.image_root == str(root / "train/JPEGImages")
    assert [record["video_id"] for record in records] == [v.id for v in catalogue.videos]
    for record, video in zip(records, catalogue.videos, strict=True):
        assert (record["height"], record["width"]) == (video.height, video.width)
        assert record["length"] == len(record["file_names"]) == len(record["annotations"])
        first = read_picture(record["file_names"][0])
        assert np.array_equal(first, catalogue.frame(video.id, 0))
        found = {(a["id"], t): a for t, of in enumerate(record["annotations"]) for a in of}
        tracks = {track.id: track for track in catalogue.tracks_of(video.id)}
        seen = {(i, t) for i, track in tracks.items() for t, m in enumerate(track.masks) if m}
        assert set(found) == seen
        for (identity, frame), annotation in found.items():
            track = tracks[identity]
            assert annotation["bbox"] == list(track.boxes[frame])
            assert catalogue.categories[annotation["category_id"]].id == track.category_id
            assert np.array_equal(decode(annotation["segmentation"]), track.mask(frame))


@needs_detectron2
def test_at_box_level_nothing_of_a_mask_is_left(catalogue):
    masked, boxed = DatasetCatalog.get("toy_mask"), DatasetCatalog.get("toy_box")
    for record in masked:
        for frame in record["annotations"]:
            for annotation in frame:
                del annotation["segmentation"]
    assert boxed == masked
    text = json.dumps(boxed)
    assert not any(word in text for word in ("segmentation", "counts", "area"))
    (first, *_) = batch("box", configured("eigencluster.stage2"))
    assert not any(instances.has("gt_masks") for instances in first["instances"])


@needs_detectron2
def test_a_level_that_cannot_be_is_refused(catalogue, root, tmp_path):
    annotations, frames = root / "train.json", root / "train/JPEGImages"
    with pytest.raises(DataError, match="'point'"):
        d2.register("toy_refused", annotations, frames, "point")
    content = json.loads(annotations.read_text())
    del content["annotations"]
    (tmp_path / "valid.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="asks for more"):
        d2.register("toy_refused", tmp_path / "valid.json", frames, "box")
    assert "toy_refused" not in DatasetCatalog
    d2.register("toy_unlabelled", tmp_path / "valid.json", frames, "none")
    cfg = configured("eigencluster.stage2")
    cfg.DATASETS.TRAIN = ("toy_unlabelled",)
    with pytest.raises(DataError, match="toy_unlabelled"):
        d2.Trainer.build_train_loader(cfg)


@needs_detectron2
def test_a_clip_has_one_flip_and_its_objects_keep_their_places(catalogue):
    mapper = d2.ClipMapper(configured("eigencluster.stage1"), True)
    mapper.frames, mapper.frame_range = 4, 3
    np.random.seed(0)
    flips = set()
    for record in DatasetCatalog.get("toy_mask") * 2:
        given = mapper(record)
        original = [read_picture(name) for name in record["file_names"]]
        as_it_is = [np.array(image.permute(1, 2, 0)) for image in given["image"]]
        flipped = not any(np.array_equal(as_it_is[0], picture) for picture in original)
        flips.add(flipped)
        chosen = []
        for picture, instances in zip(as_it_is, given["instances"], strict=True):
            picture = picture[:, ::-1] if flipped else picture
            (frame,) = [t for t, p in enumerate(original) if np.array_equal(p, picture)]
            chosen.append(frame)
            wanted = {a["id"]: a for a in record["annotations"][frame]}
            assert instances.gt_ids.tolist() == list(wanted)
            for n, annotation in enumerate(wanted.values()):
                mask = decode(annotation["segmentation"])
                mask = mask[:, ::-1] if flipped else mask
                assert np.array_equal(instances.gt_masks.tensor[n], mask)
                x, y, width, height = annotation["bbox"]
                x = WIDTH - x - width if flipped else x
                box = instances.gt_boxes.tensor[n].tolist()
                assert box == [x, y, x + width, y + height]
                assert instances.gt_classes[n] == annotation["category_id"]
        assert chosen == sorted(set(chosen)) and len(chosen) == 4
        assert chosen[-1] - chosen[0] <= 2 * 3
    assert flips == {False, True}


@needs_detectron2
def test_for_prediction_a_clip_is_the_whole_video_as_it_is(catalogue):
    (record, *_) = DatasetCatalog.get("toy_box")
    given = d2.ClipMapper(configured("eigencluster.stage2"), False)(record)
    assert len(given["image"]) == record["length"]
    assert np.array_equal(
        given["image"][3].permute(1, 2, 0), catalogue.frame(record["video_id"], 3)
    )


@needs_detectron2
def test_objects_are_joined_over_frames_by_their_ids():
    def frame(ids, classes, left):
        boxes = torch.tensor([[left + i, 0, left + i + 2, 3] for i in ids], dtype=torch.float)
        full = torch.zeros(len(ids), 4, 9, dtype=torch.bool)
        full[:, 0, left] = True
        return Instances(
            (4, 9),
            gt_ids=torch.tensor(ids),
            gt_classes=torch.tensor(classes),
            gt_boxes=Boxes(boxes),
            gt_masks=BitMasks(full),
        )

    record = {
        "image": [torch.zeros(3, 4, 9, dtype=torch.uint8)] * 2,
        "instances": [frame([7, -1], [2, 0], 1), frame([5, 7], [4, 2], 2)],
    }
    clip = d2.clip_of(record, with_masks=True)
    assert clip.track_ids == (7, 5)
    assert clip.labels.tolist() == [2, 4]
    assert clip.visible.tolist() == [[True, True], [False, True]]
    assert clip.boxes[0].tolist() == [[8, 0, 10, 3], [9, 0, 11, 3]]
    assert clip.boxes[1].tolist() == [[0, 0, 0, 0], [7, 0, 9, 3]]
    assert clip.masks.nonzero().tolist() == [[0, 0, 0, 1], [0, 1, 0, 2], [1, 1, 0, 2]]
    assert d2.clip_of(record, with_masks=False).masks is None


# Model


@needs_detectron2
@pytest.mark.parametrize(
    "settings",
    [
        Settings("mask", alpha=0, points=500),
        Settings("box", "paper", points=500),
        Settings("box", "released", points=500),
        Settings("box", "paper", points=500, soft_qcc=True),
    ],
    ids=["masks", "paper", "released", "soft Q"],
)
def test_the_losses_add_up_to_what_evis_minimises(catalogue, settings):
    torch.manual_seed(0)
    model = d2.EvisVideoMask2Former(VideoMask2Former(model_named("tiny_s", 8)), settings)
    inputs = batch(settings.supervision, configured("eigencluster.stage2"), count=6)
    clips = [d2.clip_of(record, settings.supervision == "mask") for record in inputs]

    found = losses(model, inputs)
    sum(found.values()).backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    torch.manual_seed(0)
    terms = criterion(model.model(together(clips).frames), clips, settings, step=200)
    terms["total"].backward()

    if settings.supervision == "box":
        assert terms["qcc"] > 1.01  # else it would not matter what Q multiplies
        assert terms["temporal"] > 0
    assert len(found) == 4 * len(settings.weights)
    total = sum(found.values()).item()
    assert math.isclose(total, terms["total"].item(), rel_tol=1e-6)
    for ours, theirs in zip(gradients, (p.grad for p in model.parameters()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@needs_detectron2
def test_the_step_of_the_warm_up_is_the_storages(catalogue):
    cfg = configured("eigencluster.stage3", warm_up_steps=100)
    model, inputs = build_model(cfg), batch("box", cfg)
    early, late = (losses(model, inputs, step)["loss_temporal"] for step in (50, 1000))
    assert late > 0
    assert math.isclose(early.item(), 0.5 * late.item(), rel_tol=1e-4)


@needs_detectron2
def test_under_boxes_masks_make_no_difference(catalogue):
    cfg = configured("eigencluster.stage3")
    model = build_model(cfg)
    found = [losses(model, batch(level, cfg)) for level in ("mask", "box")]
    assert found[0] == found[1]


@needs_detectron2
def test_yaml_and_lazy_config_name_the_same_model(catalogue, tmp_path):
    (tmp_path / "model.yaml").write_text(
        "MODEL:\n"
        "  META_ARCHITECTURE: EvisVideoMask2Former\n"
        "  EVIS: {SIZE: tiny_s, CLASSES: 8, LOSS: {SUPERVISION: box, BETA: 0.5, POINTS: 500}}\n"
    )
    cfg = configured("eigencluster.stage2")
    cfg.merge_from_file(str(tmp_path / "model.yaml"))
    by_yaml = build_model(cfg)

    changes = {key.lower(): value for key, value in cfg.MODEL.EVIS.LOSS.items()}
    lazy = d2.lazy_model("tiny_l", 8, **changes)
    lazy.model.config.size = "tiny_s"
    LazyConfig.save(lazy, str(tmp_path / "lazy.yaml"))
    by_lazy = instantiate(LazyConfig.load(str(tmp_path / "lazy.yaml")))

    assert by_lazy.settings == by_yaml.settings
    assert by_yaml.settings.beta == 0.5
    assert (
        not DetectionCheckpointer(by_lazy)._load_model({"model": by_yaml.state_dict()}).missing_keys
    )
    inputs = batch("box", cfg)
    assert losses(by_yaml, inputs) == losses(by_lazy, inputs)
    outputs = [model.eval()(inputs) for model in (by_yaml, by_lazy)]
    for ours, theirs in zip(*outputs, strict=True):
        for a, b in zip(ours["instances"], theirs["instances"], strict=True):
            assert torch.equal(a.scores, b.scores) and torch.equal(a.pred_masks, b.pred_masks)


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
    inputs = batch("box", cfg)
    before = sum(losses(trainer.model, inputs).values()).item()
    trainer.train()
    after = sum(losses(trainer.model, inputs).values()).item()
    assert math.isfinite(after) and after < before
    logged = [json.loads(line) for line in (tmp_path / "metrics.json").read_text().splitlines()]
    assert {"total_loss", "loss_class", "loss_projection_0", "tk"} <= set(logged[-1])

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
    assert cfg.MODEL.EVIS.FREEZE_BACKBONE
    trainer = d2.Trainer(cfg)
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.train()
    changed = {k for k, v in trainer.model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed and not any(name.startswith("model.backbone.") for name in changed)
    assert trainer.model.training and not trainer.model.model.backbone.training


@needs_detectron2
def test_the_optimiser_follows_the_recipe():
    recipe = replace(
        recipes.named("eigencluster.stage2"),
        model="tiny_s",
        steps=40,
        warm_up_steps=10,
        schedule="step",
        milestones=(20,),
    )
    cfg = get_cfg()
    d2.add_evis_config(cfg, recipe)
    cfg.MODEL.DEVICE = "cpu"
    model = build_model(cfg)
    optimiser = d2.Trainer.build_optimizer(cfg, model)
    schedule = d2.Trainer.build_lr_scheduler(cfg, optimiser)
    backbone = {id(p) for p in model.model.backbone.parameters()}
    for step in range(40):
        expected = learning_rate(recipe, step)
        for group in optimiser.param_groups:
            share = recipe.backbone_multiplier if id(group["params"][0]) in backbone else 1.0
            assert math.isclose(group["lr"], share * expected, rel_tol=1e-6), step
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimiser.step()
        schedule.step()
    norm = torch.stack([p.grad.square().sum() for p in model.parameters()]).sum().sqrt()
    assert math.isclose(norm.item(), recipe.clip_norm, rel_tol=1e-3)


# Outputs


def two_objects() -> ClipPrediction:
    """Query 1: class 2, moves right in frames 0 to 2; query 0: class 0, less sure, in 2 and 3."""
    logits = torch.full((1, 3, 4, 4, 6), -8.0)
    for t in range(3):
        logits[0, 1, t, 1:3, t : t + 2] = 8.0
    logits[0, 0, 2:, 0, 5] = 8.0
    classes = torch.full((1, 3, 4), -5.0)
    classes[0, 1, 2], classes[0, 0, 0], classes[0, 2, 3] = 9.0, 1.0, 9.0
    return ClipPrediction(classes, logits, stride=4)


@needs_detectron2
def test_outputs_become_instances_of_every_frame():
    first, _, both, alone = d2.to_instances(two_objects(), seen=(15, 22), size=(30, 44), tracks=2)
    assert first.image_size == (30, 44)
    assert first.pred_masks.shape == (1, 30, 44) and first.pred_masks.dtype == torch.bool
    assert (first.pred_classes.tolist(), first.ID.tolist()) == ([2], [0])
    box = first.pred_boxes.tensor[0]
    torch.testing.assert_close(box, torch.tensor([0.0, 8.0, 16.0, 24.0]), atol=1.0, rtol=0)
    assert (both.pred_classes.tolist(), both.ID.tolist()) == ([2, 0], [0, 1])
    assert both.pred_masks[1].nonzero().min(0).values.tolist()[1] >= 38  # the right edge
    scores = two_objects().class_logits[0].softmax(-1)
    torch.testing.assert_close(both.scores, torch.stack([scores[1, 2], scores[0, 0]]))
    assert len(both[both.scores > 0.999]) == 1
    assert (alone.pred_classes.tolist(), alone.ID.tolist()) == ([0], [1])
    assert torch.equal(alone.scores, both.scores[1:])


@needs_detectron2
def test_predictions_are_those_of_evis(catalogue):
    cfg = configured("eigencluster.stage2")
    cfg.INPUT.MIN_SIZE_TEST = 0  # frames as they are
    model = build_model(cfg).eval()
    (record, *_) = DatasetCatalog.get("toy_box")
    (output,) = model([d2.ClipMapper(cfg, False)(record)])
    ids = [category.id for category in catalogue.categories]
    ours = d2.to_tracks(record["video_id"], output["instances"], ids)
    options = Options(shorter_side=None)
    video = catalogue.subset([record["video_id"]])
    theirs = predict(model.model, video, options, catalogue.categories, progress=False)
    seen = [track for track in theirs if any(track.masks)]
    ours.sort(key=lambda track: -track.score)
    assert len(seen) > 2
    for a, b in zip(ours, seen, strict=True):
        assert (a.video_id, a.category_id, a.masks) == (b.video_id, b.category_id, b.masks)
        assert a.score == pytest.approx(b.score, rel=1e-6)


@needs_detectron2
def test_the_visualizers_draw_them(catalogue):
    metadata = MetadataCatalog.get("toy_mask")
    frames = d2.to_instances(two_objects(), seen=(15, 22), size=(60, 88), tracks=2)
    grey = np.full((60, 88, 3), 128, dtype=np.uint8)
    drawn = Visualizer(grey, metadata).draw_instance_predictions(frames[2]).get_image()
    assert drawn.shape == grey.shape
    assert (drawn[20:44, 36:60] != 128).any(-1).all()  # within the first object, by now
    assert (drawn[20:44, 4:24] == 128).all()  # where it was in the first frame
    nothing = d2.to_instances(two_objects(), (15, 22), (60, 88), tracks=2)[0][:0]
    assert (Visualizer(grey, metadata).draw_instance_predictions(nothing).get_image() == 128).all()

    video = VideoVisualizer(metadata)
    for instances in frames:
        video.draw_instance_predictions(grey, instances)
        assert set(video._assigned_colors) == set(instances.ID.tolist())
    (kept,) = video._assigned_colors.items()
    video.draw_instance_predictions(grey, frames[2])
    assert kept in video._assigned_colors.items() and len(video._assigned_colors) == 2


@needs_detectron2
def test_the_truth_as_instances_scores_one(catalogue, tmp_path):
    evaluator = d2.VideoEvaluator("toy_mask", tmp_path)
    labels = {category.id: n for n, category in enumerate(catalogue.categories)}
    for video in catalogue.videos:
        tracks = catalogue.tracks_of(video.id)
        output = []
        for t in range(video.length):
            seen = [n for n, track in enumerate(tracks) if track.masks[t] is not None]
            stack = np.array([tracks[n].mask(t) for n in seen]).reshape(-1, HEIGHT, WIDTH)
            output.append(
                Instances(
                    (HEIGHT, WIDTH),
                    pred_masks=torch.from_numpy(stack),
                    scores=torch.tensor([0.9 for _ in seen]),
                    pred_classes=torch.tensor([labels[tracks[n].category_id] for n in seen]),
                    ID=np.array(seen, dtype=int),
                )
            )
        evaluator.process([{"video_id": video.id}], [{"instances": output}])
    assert evaluator.evaluate()["segm"]["AP"] == pytest.approx(1.0)
