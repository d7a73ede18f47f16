"""Makes `loss_cases` importable, here and for the papers: pytest's importlib mode doesn't."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def seeded(device):
    import loss_cases

    loss_cases.DEVICE = device
    torch.manual_seed(0)
