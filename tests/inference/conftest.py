"""Makes `planted`, which the tests here share, importable: pytest's importlib mode doesn't."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def on_one_thread(one_thread):
    """Pictures this small cost more to share out than to compute."""
