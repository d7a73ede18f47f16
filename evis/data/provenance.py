"""What a number was measured with: the commit, the package versions and the machine."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evis.data import paths
from evis.data.errors import DataError

PACKAGES = (
    "evis", "torch", "numpy", "scipy", "scikit-learn", "opencv-python-headless", "pillow",
    "pycocotools", "transformers",
)  # fmt: skip
WRITTEN_BY_RUNS = ("data/results", "figures")


def commit(repository: Path) -> tuple[str | None, bool | None]:
    """The checked-out commit, and whether anything that can change a result differs from it.

    (None, None) outside a git checkout. What runs themselves write does not count as a change.
    """
    top, _, head = _git(repository, "rev-parse", "--show-toplevel", "HEAD").partition("\n")
    if not head or Path(top).resolve() != repository.resolve():
        return None, None
    others = [f":(exclude){path}" for path in WRITTEN_BY_RUNS]
    changes = _git(repository, "status", "--porcelain", "--", ".", *others)
    return head, bool(changes)


@cache
def commit_at_start(repository: Path) -> tuple[str | None, bool | None]:
    """As a process finds it first: its code is of then, whatever is committed while it runs."""
    return commit(repository)


def versions() -> dict[str, str]:
    """Python and the packages that numbers depend on; packages that are not installed are left out.

    A package's own suffix such as `+cpu` is kept: it names another build.
    """
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def of_code() -> dict[str, Any]:
    """Commit and versions, for a file of weights; no commit where evis lies outside a checkout."""
    try:
        head, dirty = commit(paths.repository())
    except DataError:
        head, dirty = None, None
    return {"commit": head, "dirty": dirty, "versions": versions()}


def machine() -> dict[str, Any]:
    """The machine, without its name or user. What computes on another `device` says so."""
    return {
        "platform": platform.platform(terse=True),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "device": "cpu",
    }


def _cpu_model() -> str:
    with suppress(OSError):  # there is no such file but on Linux
        models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
        if models:
            return models[0].strip()
    return platform.processor() or platform.machine()


def _git(repository: Path, *arguments: str) -> str:
    """What git prints; nothing where there is no git, no checkout or no commit."""
    command = ["git", "--no-optional-locks", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
