"""Kernels that add in a fixed order, on whatever device."""

import os

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data.errors import DataError
from evis.papers.eigencluster import method
from evis.training import engine, train
from evis.training.reproducible import grid_sample, in_fixed_order

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@given(
    st.integers(0, 10_000),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(["zeros", "border"]),
    st.sampled_from(["bilinear", "nearest", "bicubic"]),
)
@settings(max_examples=30)
def test_sampling_pixels_is_torch_s_and_so_is_its_gradient(seed, height, width, padding, mode):
    random = torch.Generator().manual_seed(seed)
    kind = {"generator": random, "dtype": torch.float64}
    picture = torch.randn(2, 3, height, width, **kind)
    places = 3 * torch.rand(2, 4, 5, 2, **kind) - 1.5  # some of them outside
    pull = torch.randn(2, 3, 4, 5, **kind)
    found = []
    for sample in (grid_sample, F.grid_sample):
        inputs = picture.clone().requires_grad_(), places.clone().requires_grad_()
        read = sample(*inputs, mode, padding, align_corners=False)
        slopes = torch.autograd.grad((read * pull).sum(), inputs, materialize_grads=True)
        found.append([read, *slopes])
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-9, atol=1e-9)


def _state():
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_num_threads(),
        F.grid_sample,
    )


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_gpu_adds_in_a_fixed_order_where_that_is_asked_for_and_only_inside(
    deterministic, monkeypatch
):
    monkeypatch.setenv(_CUBLAS, ":4096:8")
    before = _state()
    with in_fixed_order(None, on_cpu=False, deterministic=deterministic):
        fixed, convolutions, products, _, sample = _state()
    assert (fixed, convolutions, products) == (deterministic, not deterministic, False)
    assert sample is (grid_sample if deterministic else before[-1])
    assert _state() == before


def test_cublas_is_told_before_a_gpu_is_used_or_never(monkeypatch, small, tmp_path):
    told, accelerator = [], engine._accelerator

    def first_use(*arguments):
        told.append(os.environ.get(_CUBLAS))
        return accelerator(*arguments)

    def run(name, **options):
        options = {"threads": 1, "progress": False, "deterministic": True, **options}
        train(small.recipe(steps=1), small.datasets(), tmp_path / name, method, **options)

    monkeypatch.setattr(engine, "_accelerator", first_use)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: bool(told))
    monkeypatch.delenv(_CUBLAS, raising=False)
    run("first")
    assert told == [":4096:8"]
    monkeypatch.delenv(_CUBLAS)
    with pytest.raises(DataError, match="the GPU has been used in this process"):
        run("late")
    assert not (tmp_path / "late").exists()
    run("cpu", device="cpu")
    assert told == [":4096:8", None]
