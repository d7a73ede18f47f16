import importlib.util
import multiprocessing
import os
import runpy
import signal
from pathlib import Path

import pytest

SMALL = Path(__file__).with_name("small.py")


@pytest.fixture(autouse=True)
def interruptible():
    """What a shell starts in its background ignores Ctrl-C; these tests press it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def small():
    """The module small.py."""
    specification = importlib.util.spec_from_file_location("evis_tests_small", SMALL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def start_process():
    """(arguments of small.py, environment) -> a started process of its own.

    Forked from a server that has imported all there is to import, which takes seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["evis.papers.eigencluster.method", "accelerate", "torch.distributed"]
    )

    def start(arguments: list[str], environment: dict[str, str] | None = None):
        process = context.Process(target=run, args=(arguments, environment or {}))
        process.start()
        return process

    return start


def run(arguments: list[str], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    runpy.run_path(str(SMALL), {"ARGUMENTS": arguments}, "__main__")
