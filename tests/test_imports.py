"""Imports go one way: who may import whom, as the design has it. `make lint` runs this."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the bottom to the top: a package imports itself and what stands below it.
LEVELS = (
    {"data"},
    {"models", "foundation", "losses", "metrics", "trackers"},
    {"matching", "labels"},
    {"criterion"},
    {"training", "inference"},
    {"integrations", "companion"},
    {"papers"},
    {"cli"},
    {"__main__"},
)
ANYWHERE = {"__init__"}  # the version
KEPT_NAMES = ROOT / "evis" / "results"  # callers of evis.results.audit go on to the companion
FORBIDDEN_BETWEEN = {("integrations", "companion"), ("companion", "integrations")}
MODULES = sorted(path for path in (ROOT / "evis").rglob("*.py") if KEPT_NAMES not in path.parents)


def parts(path: Path) -> tuple[str, ...]:
    """evis/losses/tk.py -> ("losses", "tk")."""
    return path.relative_to(ROOT / "evis").with_suffix("").parts


def imported(path: Path) -> list[tuple[str, ...]]:
    """Every evis module or name that the file imports, within functions too."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: write the whole name"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [tuple(name.split(".")[1:]) for name in names if name.startswith("evis.")]


def level(package: str) -> int:
    return next(number for number, packages in enumerate(LEVELS) if package in packages)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(parts(path)))
def test_a_module_imports_downwards(path):
    package, *rest = parts(path)
    for target in imported(path):
        there = target[0]
        if package in ANYWHERE or there == package or there == "__version__":
            continue
        assert level(there) < level(package), f"{package} imports {'.'.join(target)}"
        assert (package, there) not in FORBIDDEN_BETWEEN, f"{package} imports {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(parts(path)))
def test_no_paper_imports_another_and_losses_know_tensors_only(path):
    package, *rest = parts(path)
    for target in imported(path):
        if package == "papers" and target[0] == "papers" and rest[0] != "__init__":
            # The package itself finds another paper's recipes and rows by name.
            assert target[1:] == () or target[1] == rest[0], f"imports {'.'.join(target)}"
        if package == "losses":
            assert target[0] == "losses", f"a loss imports {'.'.join(target)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(parts(path)))
def test_nothing_from_outside_is_unpickled(path):
    """A pickle is a program: torch reads weights alone, all else is read as arrays alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            called = ast.unparse(node.func)
            assert called not in ("pickle.load", "pickle.loads", "joblib.load", "pd.read_pickle")
            assert options.get("allow_pickle") != "True", ast.unparse(node)
            assert called != "torch.load" or options.get("weights_only") == "True", called


def test_every_package_has_its_level():
    packages = {parts(path)[0] for path in MODULES} - ANYWHERE
    assert packages <= set().union(*LEVELS)
