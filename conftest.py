"""What holds for every test run, `pytest` as well as `pytest --nbval notebooks`."""

import ipaddress
import os
import socket

# GPU tests, too, may ask for products that add in a fixed order.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# Before anything imports torch: tests and notebooks run two at a time, with a thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from evis.companion import kernels  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="where tensor tests run: cpu or cuda")
    parser.addoption(
        "--dtype", default="float32", help="what their inputs are: float32, float64 or bfloat16"
    )


def pytest_configure():
    """nbval's kernels inherit the same variables as those of `evis reproduce`."""
    for name in ("EVIS_ROOT", "EVIS_FIGURES", "JPY_SESSION_NAME"):
        os.environ.pop(name, None)  # of the shell that the tests are started in
    os.environ.update(kernels.environment())
    hypothesis.settings.register_profile("evis", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("evis")


@pytest.fixture(scope="session")
def device(request):
    """The torch device of `--device`."""
    import torch

    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def dtype(request):
    """The torch type of `--dtype`."""
    import torch

    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture
def one_thread():
    """torch computes on one thread for a while, whatever the environment says."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """A test may talk to its own kernels and workers, and to nothing beyond this machine."""
    connect = socket.socket.connect

    def connect_locally(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise OSError(f"a test tried to reach {host}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)
