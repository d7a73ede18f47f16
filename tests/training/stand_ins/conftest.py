import importlib.util
from pathlib import Path

import pytest

SMALL = Path(__file__).parents[1] / "small.py"


@pytest.fixture(scope="session")
def stills():
    """Four pictures of 32 x 48 pixels: bright boxes of three classes over noise."""
    specification = importlib.util.spec_from_file_location("evis_tests_small", SMALL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.dataset(videos=4, frames=1)
