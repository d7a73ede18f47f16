"""What a step does: whose gradient, how it is clipped, which parameters move, what it may see."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from evis.criterion.step import Step
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.models.checkpoints import load, read_about, save
from evis.papers.eigencluster import method
from evis.papers.eigencluster.recipes import named, toy
from evis.training import changed, engine, log, optimiser, start, train
from evis.training import run as training_run
from evis.training.folder import WEIGHTS
from evis.training.reproducible import seed

BOX, MASK = "eigencluster.stage3", "mask2former"


@pytest.fixture
def run(tmp_path, small):
    def run(recipe, datasets=None, folder="run", method=method, **options):
        options = {"device": "cpu", "threads": 1, "progress": False, **options}
        return train(recipe, datasets or small.datasets(), tmp_path / folder, method, **options)

    return run


def _same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return all(torch.equal(one[name], other[name]) for name in one)


def test_masks_of_noise_change_no_bit_under_boxes_and_do_under_masks(run, small):
    noise = small.datasets(noise_masks=True)
    for name, alike in ((BOX, True), ("eigencluster.stage3.released", True), (MASK, False)):
        recipe = small.recipe(name, steps=2, precision="no")
        truth = run(recipe, folder=f"{name} truth")
        assert _same(truth, run(recipe, noise, folder=f"{name} noise")) is alike, name


def test_no_clip_of_a_box_recipe_has_a_mask(run, small):
    seen = []
    watched = small.Watched(lambda terms, clips, step: seen.extend(clips))
    run(small.recipe("eigencluster.stage2.released", precision="no"), method=watched)
    assert len(seen) == 12
    assert all(clip.masks is None and clip.boxes is not None for clip in seen)


def test_a_mask_recipe_refuses_boxes(run, small):
    boxes = {name: weaken(dataset, "box") for name, dataset in small.datasets().items()}
    with pytest.raises(DataError, match='holds "box" supervision, "mask" asks for more'):
        run(small.recipe(MASK), boxes)


def test_the_gradient_is_the_mean_over_micro_batches(run, small, tmp_path):
    recipe = small.recipe(BOX, steps=1, batch=3, micro_batch=1)
    run(recipe)
    batches = engine.Batches(recipe, engine.admit(recipe, small.datasets()), False)
    seed(recipe.seed, 0)
    model = method.build(recipe, ["red", "blue"])
    model.backbone.requires_grad_(False)
    objects = sum(len(clip.labels) for number in range(3) for clip in batches[number].clips)
    gradients, totals = [], []
    for number in range(3):
        model.zero_grad()
        batch, generator = batches[number], seed(recipe.seed, 1 + number)
        step = Step(0, objects / 3)
        terms = method.loss(recipe)(model(batch.frames), batch.clips, step, generator)
        terms["total"].backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        totals.append(terms["total"].item())
    mean = [torch.stack(each).mean(0) for each in zip(*gradients, strict=True)]
    norm = torch.stack([each.norm() for each in mean]).norm().item()
    logged = log.read(tmp_path / "run")
    assert logged["gradient_norm"][0] == pytest.approx(norm, rel=1e-4)
    assert logged["total"][0] == pytest.approx(sum(totals) / 3, rel=1e-5)


def test_the_frozen_backbone_stays_and_the_rest_moves(run, small):
    recipe = small.recipe(BOX, steps=2)
    assert recipe.freeze_backbone
    seed(recipe.seed, 0)
    before = method.build(recipe, ["red", "blue"]).state_dict()
    after = run(recipe).state_dict()
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("backbone.")} <= still
    moved = before.keys() - still
    assert {"decoder.classify.weight", "decoder.query_content"} <= moved
    assert any(name.startswith("pixel_decoder.") for name in moved)


def test_groups_of_parameters():
    model = method.build(toy(named("eigencluster.stage2")), ["one"])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = optimiser.adamw(model, 1e-3, weight_decay=0.05, backbone_multiplier=0.1)
    group_of = {
        names[id(parameter)]: (group["multiplier"], group["weight_decay"])
        for group in rates.param_groups
        for parameter in group["params"]
    }
    assert set(group_of) == set(names.values())
    assert group_of["backbone.stages.0.0.weight"] == (0.1, 0.05)
    assert group_of["backbone.stages.0.1.weight"] == (0.1, 0.0)  # a group norm
    assert group_of["decoder.query_content"] == (1.0, 0.0)
    assert group_of["decoder.layers.0.cross_norm.bias"] == (1.0, 0.0)
    assert group_of["decoder.layers.0.feed_forward.0.weight"] == (1.0, 0.05)
    assert group_of["decoder.classify.bias"] == (1.0, 0.05)
    optimiser.set_learning_rate(rates, 2.0)
    assert {(g["multiplier"], g["lr"]) for g in rates.param_groups} == {(0.1, 0.2), (1.0, 2.0)}


def test_learning_rates_by_hand(small):
    constant = small.recipe(schedule="constant", steps=8, warm_up_steps=3, learning_rate=4.0)
    rates = [optimiser.learning_rate(constant, step) for step in range(6)]
    assert rates == [1.0, 2.0, 3.0, 4.0, 4.0, 4.0]
    cosine = changed(constant, {"schedule": "cosine", "warm_up_steps": 0})
    rates = [optimiser.learning_rate(cosine, step) for step in (0, 4, 8)]
    assert rates == pytest.approx([4.0, 2.0, 0.0])
    steps = changed(cosine, {"schedule": "step", "milestones": (2, 5)})
    rates = [optimiser.learning_rate(steps, step) for step in (1, 2, 4, 5)]
    assert rates == pytest.approx([4.0, 0.4, 0.4, 0.04])


def test_recomputed_activations_and_workers_change_nothing(run, small, tmp_path):
    recipe = small.recipe("eigencluster.stage2", steps=3)
    run(recipe, folder="plain")
    model = run(recipe, folder="other", recompute=True, workers=1)
    plain, other = log.read(tmp_path / "plain"), log.read(tmp_path / "other")
    assert plain["total"].to_numpy() == pytest.approx(other["total"].to_numpy(), rel=1e-5)
    assert not model.recompute_activations


def test_workers_say_of_the_data_what_one_process_says(small):
    recipe = small.recipe()
    sets = {name: replace(it, read_frame=None) for name, it in small.datasets().items()}
    alone = SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"))
    run = SimpleNamespace(recipe=recipe, step=0, accelerator=alone)
    said = []
    for workers in (0, 1):
        with pytest.raises(DataError, match="was read without frames") as error:
            next(engine._loader(run, engine.admit(recipe, sets), workers, False))
        said.append((str(error.value), vars(error.value)))
    assert said[0] == said[1] and error.value.video and "frames_root" in error.value.remedy


def test_a_set_without_videos_says_so_where_frames_are_kept_too(run, small):
    empty = {"videos": small.dataset().subset([])}
    for keep_frames in (False, True):
        with pytest.raises(DataError, match="no video has a track to learn from"):
            run(small.recipe(), empty, keep_frames=keep_frames)


def test_without_cuda_it_is_the_cpu_whatever_else_there_is(small, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("accelerate.state.is_mps_available", lambda *_, **__: True)
    assert engine._accelerator(small.recipe(), None).device.type == "cpu"


def test_bf16_trains_near_full_precision(run, small, tmp_path):
    for precision in ("no", "bf16"):
        model = run(small.recipe(MASK, steps=3, precision=precision), folder=precision)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    full, half = log.read(tmp_path / "no"), log.read(tmp_path / "bf16")
    assert half["total"].to_numpy() == pytest.approx(full["total"].to_numpy(), rel=0.05)
    assert not half["total"].equals(full["total"])


def test_fp16_needs_a_gpu(run, small):
    with pytest.raises(DataError, match="precision: fp16 needs a GPU. Train in bf16"):
        run(small.recipe(MASK, precision="fp16"))


def test_the_average_of_the_weights_is_what_comes_out(run, small, tmp_path):
    recipe = small.recipe(MASK, steps=2, schedule="constant", warm_up_steps=0)
    name = "decoder.classify.weight"
    first, second = (
        run(changed(recipe, {"steps": steps}), folder=f"{steps}").state_dict()[name]
        for steps in (1, 2)
    )
    averaged = run(changed(recipe, {"ema_decay": 0.75}), folder="averaged")
    expected = 0.75 * first + 0.25 * second  # the average starts at the first step's weights
    assert torch.allclose(averaged.state_dict()[name], expected, atol=1e-7)
    assert not torch.allclose(first, second, atol=1e-5)
    assert _same(load(tmp_path / "averaged" / WEIGHTS), averaged)


def test_a_loss_that_learns_is_trained(run, small):
    class Kept:
        build = staticmethod(method.build)

        def loss(self, recipe):
            self.made = method.loss(recipe)
            self.before = {k: value.clone() for k, value in self.made.state_dict().items()}
            return self.made

    kept, scheme = Kept(), "Learnable Patch Matching"
    recipe = small.recipe(BOX, steps=2, scheme=scheme, **{"settings.warm_up_steps": 0})
    run(recipe, method=kept)
    after = kept.made.state_dict()
    assert kept.before and any(not torch.equal(kept.before[name], after[name]) for name in after)


def test_stages_hand_on_their_weights(run, small, tmp_path):
    first = run(small.recipe("eigencluster.stage1", steps=2), folder="one")
    path = tmp_path / "one" / WEIGHTS
    about = read_about(path)
    assert about["categories"] == ["blue", "red", "green"] and about["recipe"]["steps"] == 2
    second = small.recipe("eigencluster.stage2", steps=1)
    model = start.build(second, ["red", "blue"], method, path)
    assert torch.equal(model.decoder.query_content, first.decoder.query_content)
    assert model.decoder.classify.out_features == 3
    head, there = model.decoder.classify, first.decoder.classify  # blue, red, green, no object
    assert torch.equal(head.weight, there.weight[[1, 0, 3]])
    assert torch.equal(head.bias, there.bias[[1, 0, 3]])
    fresh = start.build(second, ["yellow", "blue"], method, path).decoder.classify
    assert torch.equal(fresh.weight[1:], there.weight[[0, 3]])
    assert not (fresh.weight[0] == there.weight).all(1).any()
    same = start.build(second, ["blue", "red", "green"], method, path)
    assert torch.equal(same.decoder.classify.weight, first.decoder.classify.weight)
    backbone = start.build(replace(second, init="imagenet"), ["red", "blue"], method, path)
    assert torch.equal(backbone.backbone.stages[0][0].weight, first.backbone.stages[0][0].weight)
    assert not torch.equal(backbone.decoder.query_content, first.decoder.query_content)
    with pytest.raises(DataError, match="not fit the model"):
        start.build(replace(second, model="tiny"), ["red", "blue"], method, path)


@pytest.mark.parametrize(
    "name, problem",
    [
        # By the repository's own weights, of the same size.
        ("toy.eigencluster.stage1", "toy.eigencluster.stage1 trained, and.*--model .*toy_stage1_t"),
        ("toy.mask2former", r"Train them \(evis train mask2former --scale toy\)"),
        (
            "eigencluster.stage2",
            r"or official ones.* Train them \(evis train eigencluster.stage2\)",
        ),
        ("imagenet", "starts from an ImageNet backbone.*Download them"),
    ],
)
def test_a_start_that_is_needed_is_named(run, small, name, problem):
    with pytest.raises(DataError, match=problem):
        run(replace(small.recipe(), init=name))


def test_somebody_elses_weights_among_the_repository_s_hide_none(run, small, tmp_path, monkeypatch):
    model = method.build(small.recipe(), ["red", "blue"])
    about = {"recipe": {"name": "toy.eigencluster.stage1", "model": "tiny_s"}}
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "a.safetensors").write_bytes(b"no weights")
    save(model, weights / "b.safetensors", recipe="a name")
    fitting = save(model, weights / "c.safetensors", **about)
    monkeypatch.setattr(start.paths, "data", lambda: tmp_path)
    with pytest.raises(DataError, match=f"--model {fitting} fits"):
        run(replace(small.recipe(), init="toy.eigencluster.stage1"))


def test_weights_that_are_not_there_are_named(run, small, tmp_path):
    with pytest.raises(DataError, match="nowhere.safetensors: there is no such file"):
        run(small.recipe(), weights=tmp_path / "nowhere.safetensors")


def test_a_trained_model_knows_its_size_as_its_file_does(run, small, tmp_path):
    recipe = small.recipe(BOX, steps=1, shorter_sides=(40, 32))
    models = [run(recipe), run(recipe), load(tmp_path / "run" / WEIGHTS)]  # trained, found, loaded
    assert [model.shorter_side for model in models] == [32] * 3


def test_processes_must_divide_the_micro_batches(small):
    three = SimpleNamespace(num_processes=3, process_index=0)
    run = SimpleNamespace(recipe=small.recipe(), step=0, accelerator=three)
    with pytest.raises(DataError, match="2 micro-batches a step can't be shared by 3 processes"):
        engine._loader(run, small.datasets(), 0, False)


def test_the_log_has_every_term_of_every_step(run, small, tmp_path):
    run(small.recipe(BOX, steps=3))
    table = log.read(tmp_path / "run")
    assert list(table["step"]) == [0, 1, 2]
    for column in ("total", "class", "projection_0", "tk", "tel", "qcc", "learning_rate"):
        assert table[column].notna().all(), column
    assert (table["memory_gib"] > 0.05).all() and (table["data_seconds"] <= table["seconds"]).all()


def test_other_weights_to_start_from_are_another_run(run, small, tmp_path):
    model, recipe = run(small.recipe(MASK, steps=1)), small.recipe(steps=1)
    first, second = (tmp_path / f"{name}.safetensors" for name in "ab")
    save(model, first, categories=["red", "blue"])
    with torch.no_grad():
        model.decoder.classify.bias[0] += 1
    save(model, second, categories=["red", "blue"])
    run(recipe, folder="next", weights=first)
    with pytest.raises(DataError, match="holds another run: start is 'weights"):
        run(recipe, folder="next", weights=second)


def test_corrected_annotations_are_another_run(run, small):
    recipe = small.recipe(MASK, steps=1)
    run(recipe)
    run(recipe)
    with pytest.raises(DataError, match="holds another run: data.videos"):
        run(recipe, small.datasets(noise_masks=True))


class OfObjects:
    """A method whose loss is a mean over objects."""

    build = staticmethod(method.build)

    def loss(self, recipe):
        def mean(prediction, clips, step, generator):
            counts = torch.tensor([len(clip.labels) for clip in clips])
            values = prediction.mask_logits.square().mean((1, 2, 3, 4))
            return {"total": (counts * values).sum() / step.objects}

        return mean


@pytest.mark.parametrize("chosen", [method, OfObjects()], ids=["the paper's", "another"])
def test_a_step_is_the_same_however_it_is_split(run, small, chosen, monkeypatch):
    """Clips of one and of two objects, whose own numbers would weigh an object twice as much.

    Plain gradient descent, as AdamW's first step hardly knows how long a gradient is. What the
    paper divides by a micro-batch's own edges or scales by its Q is left out.
    """

    def descent(model, rate, *_):
        return torch.optim.SGD([{"params": list(model.parameters()), "multiplier": 1.0}], rate)

    monkeypatch.setattr(training_run, "adamw", descent)
    changes = {"batch": 4, "steps": 1, "schedule": "constant", "clip_norm": 1e9, "lr": 1e-3}
    changes |= {"shorter_sides": (small.HEIGHT,), "settings.points": 5000}
    changes |= {"settings.mask_weight": 0, "warm_up_steps": 0}
    moves = {}
    for size in (1, 2, 4):
        recipe = small.recipe("boxinst", micro_batch=size, **changes)
        seed(recipe.seed, 0)
        before = _flat(method.build(recipe, ["red", "blue"]))
        model = run(recipe, small.uneven(), f"{size}", chosen)
        moves[size] = _flat(model) - before
    for size in (1, 2):
        assert (moves[size] - moves[4]).norm() < 1e-3 * moves[4].norm()


def _flat(model):
    return torch.cat([parameter.detach().double().flatten() for parameter in model.parameters()])


def test_a_loss_is_told_the_step_and_the_objects_of_all_its_micro_batches(run, small):
    seen = []
    watched = small.Watched(
        lambda terms, clips, step: seen.append((step, sum(len(c.labels) for c in clips)))
    )
    recipe = small.recipe(BOX, batch=4, micro_batch=1, steps=2)
    run(recipe, small.uneven(), method=watched)
    assert [step.number for step, _ in seen] == [0] * 4 + [1] * 4
    for of_step in (seen[:4], seen[4:]):
        objects = [count for _, count in of_step]
        assert sorted(objects) == [1, 2, 2, 2]
        assert {step.objects for step, _ in of_step} == {sum(objects) / 4}


@pytest.mark.parametrize(
    "how, problem",
    [
        ({"threads": 0}, "threads should be a whole number from 1 on, is 0"),
        ({"save_every": 0}, "save_every should be a whole number from 1 on, is 0"),
        ({"log_every": 1.5}, "log_every should be a whole number from 1 on, is 1.5"),
        ({"workers": -1}, "workers should be a whole number from 0 on, is -1"),
        ({"device": "cuda:7"}, "device should be None or cpu, is 'cuda:7'"),
    ],
)
def test_how_to_run_is_checked_before_the_folder_is_made(run, small, tmp_path, how, problem):
    with pytest.raises(DataError, match=problem):
        run(small.recipe(BOX), **how)
    assert not (tmp_path / "run").exists()
