"""A step of training on the device and in the precision that the tests are run with."""

import pytest
import torch

from evis.data.errors import DataError
from evis.papers.eigencluster import method
from evis.training import checkpoint, log, train

PRECISIONS = {torch.float32: "no", torch.bfloat16: "bf16"}


@pytest.fixture
def run(tmp_path, small, device, dtype):
    """Trains on the device; `on` chooses another. -> the model and the log."""
    if dtype not in PRECISIONS:
        pytest.skip("training is in float32 or bfloat16")

    def run(recipe, on=device, **options):
        folder = tmp_path / f"{on}{len(list(tmp_path.iterdir()))}"
        where = "cpu" if torch.device(on).type == "cpu" else None
        options = {"threads": 1, "progress": False, **options}
        model = train(recipe, small.datasets(), folder, method, device=where, **options)
        return model, log.read(folder)

    return run


@pytest.mark.parametrize(
    "name", ["eigencluster.stage1", "eigencluster.stage3", "eigencluster.stage3.released"]
)
def test_a_step_is_the_cpu_s(run, small, device, dtype, name):
    if torch.device(device).type == "cpu" and dtype == torch.float32:
        pytest.skip("the CPU against itself")
    recipe = small.recipe(name, steps=2, batch=4, micro_batch=2, precision=PRECISIONS[dtype])
    model, here = run(recipe)
    _, there = run(small.recipe(name, steps=2, batch=4, micro_batch=2), "cpu")
    assert next(model.parameters()).device.type == torch.device(device).type
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    close = 1e-3 if dtype == torch.float32 else 0.1
    for term in ("total", "class"):
        assert here[term].to_numpy() == pytest.approx(there[term].to_numpy(), rel=close), term


def test_a_loss_that_learns_is_trained_there(run, small):
    recipe = small.recipe(
        "eigencluster.stage2", steps=2, scheme="Learnable Pixel Matching", **{"precision": "no"}
    )
    _, here = run(recipe)
    assert here["total"].notna().all() and (here["temporal"] >= 0).all()


@pytest.mark.parametrize("name", ["eigencluster.stage1", "eigencluster.stage3"])
def test_two_runs_in_a_fixed_order_give_the_same_bits(run, small, dtype, name):
    recipe = small.recipe(name, steps=3, batch=4, micro_batch=2, precision=PRECISIONS[dtype])
    (one, _), (other, _) = (run(recipe, deterministic=True) for _ in range(2))
    there = other.state_dict()
    assert all(torch.equal(value, there[key]) for key, value in one.state_dict().items())


@pytest.fixture
def in_fp16(tmp_path, small, device):
    """Trains stage three into a folder, whose name it is given, in a fixed order."""
    if device.type == "cpu":
        pytest.skip("fp16 needs a GPU")

    def run(folder, method=method, **changes):
        changes = {"steps": 8, "precision": "fp16", **changes}
        options = {"save_every": 1, "progress": False, "deterministic": True}
        recipe = small.recipe("eigencluster.stage3", **changes)
        return train(recipe, small.datasets(), tmp_path / folder, method, **options)

    return run


def steep(terms):
    """The square root of nothing has a value and no slope."""
    return {"total": (terms["total"] * 0).sqrt()}


def test_fp16_trains_near_full_precision(in_fp16, tmp_path):
    in_fp16("half"), in_fp16("full", precision="no")
    half, full = (log.read(tmp_path / folder) for folder in ("half", "full"))
    assert half["total"][0] == pytest.approx(full["total"][0], rel=0.05)
    assert half["gradient_norm"].notna().any()


def test_fp16_goes_on_after_a_cut_with_its_scale(in_fp16, small, tmp_path):
    def at_first_steep(terms, _, step):
        return steep(terms) if step.number == 0 else None

    def cut_off(terms, clips, step):
        if step.number == 3:
            raise KeyboardInterrupt
        return at_first_steep(terms, clips, step)

    whole = in_fp16("whole", small.Watched(at_first_steep)).state_dict()
    assert log.read(tmp_path / "whole")["gradient_norm"].isna()[0]  # that step was skipped
    with pytest.raises(KeyboardInterrupt):
        in_fp16("cut", small.Watched(cut_off))
    step, state = checkpoint.latest(tmp_path / "cut" / "checkpoints")
    assert step == 3 and state["scaler"]["scale"] < 2**16  # what it begins with
    resumed = in_fp16("cut", small.Watched(at_first_steep)).state_dict()
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def test_a_gradient_that_no_scale_makes_finite_stops_fp16(in_fp16, small):
    with pytest.raises(DataError, match="step 17: the gradient is NaN or infinite"):
        in_fp16("steep", small.Watched(lambda terms, *_: steep(terms)), steps=20)
