"""What holds for every test run, `pytest` as well as `pytest --nbval notebooks`."""

import ipaddress
import os
import socket

import hypothesis
import pytest

from evis.companion import reproduce


def pytest_configure():
    """nbval's kernels inherit the same variables as those of `evis reproduce`."""
    os.environ.update(reproduce.kernel_environment())
    hypothesis.settings.register_profile("evis", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("evis")


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
