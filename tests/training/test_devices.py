"""A step of training on the device and in the precision that the tests are run with."""

import pytest
import torch

from evis.papers.eigencluster import method
from evis.training import log, train

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
