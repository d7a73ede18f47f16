"""Run the notebooks in order, each in a fresh kernel, and say how each of them fared."""

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from papermill.execute import ERROR_MARKER_TAG
from tqdm.auto import tqdm

from evis.companion import gallery, outputs
from evis.data import files, paths
from evis.data.errors import DataError

NUMBERED = re.compile(r"\d\d_.+\.ipynb")


@dataclass(frozen=True)
class Failure:
    error: str
    cell: int | None = None  # 1-based among all cells of the source notebook
    execution_count: int | None = None  # the In [n] of the executed copy
    source: str | None = None  # the cell's first line


@dataclass(frozen=True)
class Outcome:
    notebook: str
    seconds: float
    figures: list[str]
    failure: Failure | None = None

    @property
    def verdict(self) -> str:
        return "failed" if self.failure else "ok"


def reproduce(
    scale: str, only: Sequence[str] = (), recompute: bool = False, store: bool = False
) -> list[Outcome]:
    """Run all notebooks, or those that `only` names, whatever happens to the earlier ones.

    Executed copies go to build/notebooks, the outcomes to build/summary.json. A copy of a notebook
    that failed ends at the failing cell. `store` puts the outputs of those that did not fail into
    notebooks/, as they are committed, and their figures onto the gallery page.
    """
    if store and (scale != "toy" or recompute):
        raise DataError(
            "only a run with default parameters is stored",
            remedy="Leave store out, or run at scale toy without recompute",
        )
    parameters = {"scale": scale, "recompute": recompute}
    selected = select(sorted(paths.notebooks().glob("*.ipynb")), only)
    outcomes = []
    with _environment(kernel_environment()), tqdm(selected, unit="notebook", leave=False) as bar:
        for notebook in bar:
            bar.set_description(notebook.stem)
            outcome = _run(notebook, parameters)
            if store and not outcome.failure:
                outcome = _stored(outcome, notebook)
            outcomes.append(outcome)
    summary = [{**asdict(outcome), "verdict": outcome.verdict} for outcome in outcomes]
    files.write_json(paths.build() / "summary.json", {**parameters, "notebooks": summary}, indent=1)
    if store:
        stored = {outcome.notebook: outcome for outcome in outcomes if not outcome.failure}
        gallery.record(
            {name: outcome.seconds for name, outcome in stored.items()},
            {name: outcome.figures for name, outcome in stored.items()},
        )
    return outcomes


def select(notebooks: Sequence[Path], only: Sequence[str]) -> list[Path]:
    """The numbered notebooks whose number or name stands in `only`; all of them if it is empty."""
    numbered = [path for path in notebooks if NUMBERED.fullmatch(path.name)]
    if not numbered:
        raise DataError("there is no notebook to run", file=paths.notebooks())
    chosen = set()
    for wanted in only:
        matches = {path for path in numbered if wanted in (path.name, path.stem, path.stem[3:])}
        if wanted.isdecimal():
            matches |= {path for path in numbered if int(path.name[:2]) == int(wanted)}
        if not matches:
            names = ", ".join(path.stem for path in numbered)
            raise DataError(f"no notebook is called {wanted!r}", remedy=f"There are: {names}")
        chosen |= matches
    return [path for path in numbered if path in chosen or not only]


def kernel_environment() -> dict[str, str]:
    """Variables that make every kernel start alike, on any user's machine.

    The kernel `python3` is this Python's own, whatever kernels and IPython start-up files the user
    has. Sums depend on the number of threads, so that is fixed unless the user says otherwise.
    Kernels that talk to their own machine warn that this is not encrypted; they are told not to.
    """
    profile = paths.build() / "ipython" / "profile_default"
    files.write_text(profile / "ipython_kernel_config.py", 'c.IPKernelApp.log_level = "ERROR"\n')
    own = os.path.join(sys.prefix, "share", "jupyter")
    return {
        "EVIS_ROOT": str(paths.repository()),
        "IPYTHONDIR": str(paths.build() / "ipython"),
        "JUPYTER_PATH": os.pathsep.join(filter(None, [own, os.environ.get("JUPYTER_PATH")])),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a warning on stderr otherwise
        "PYTHONHASHSEED": "0",
    }


def report(outcomes: Sequence[Outcome]) -> str:
    """The summary table, then where each failed notebook stopped."""
    width = max(len(outcome.notebook) for outcome in outcomes)
    lines = [f"{'notebook':{width}}  seconds  figures  verdict"]
    for outcome in outcomes:
        written = len(outcome.figures)
        lines.append(
            f"{outcome.notebook:{width}}  {outcome.seconds:7.1f}  {written:7d}  {outcome.verdict}"
        )
    for outcome in outcomes:
        if failure := outcome.failure:
            lines += ["", f"{outcome.notebook}: {failure.error}"]
            if failure.cell:
                lines += [
                    f"  in cell {failure.cell} (In [{failure.execution_count}]): {failure.source}",
                    f"  read build/notebooks/{outcome.notebook}.ipynb",
                ]
    return "\n".join(lines)


def _run(notebook: Path, parameters: dict[str, str | bool]) -> Outcome:
    """One notebook. Any error is this notebook's outcome, so that the next ones still run."""
    copy = _copy(notebook)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)  # an earlier run's copy must not pass for this one's
    before = _figures()
    start = time.perf_counter()
    failure = None
    try:
        declared = papermill.inspect_notebook(notebook)
        papermill.execute_notebook(
            notebook,
            copy,
            parameters={name: value for name, value in parameters.items() if name in declared},
            kernel_name="python3",
            progress_bar={"desc": "  cells", "leave": False},
            cwd=notebook.parent,
        )
    except PapermillExecutionError as error:
        failure = _failure(error, copy)
    except Exception as error:
        failure = Failure(f"{type(error).__name__}: {_last_line(str(error))}")
    seconds = round(time.perf_counter() - start, 1)
    written = sorted(path for path, stamp in _figures().items() if before.get(path) != stamp)
    return Outcome(notebook.stem, seconds, written, failure)


def _stored(outcome: Outcome, notebook: Path) -> Outcome:
    try:
        outputs.store(_copy(notebook), notebook)
    except ValueError as error:  # edited while it ran
        return replace(outcome, failure=Failure(str(error)))
    return outcome


def _copy(notebook: Path) -> Path:
    return paths.build() / "notebooks" / notebook.name


def _failure(error: PapermillExecutionError, copy: Path) -> Failure:
    """`error` counts the cells of the executed copy; a reader looks into the source notebook."""
    tags = [cell.metadata.get("tags", []) for cell in nbformat.read(copy, as_version=4).cells]
    tags = [own for own in tags if ERROR_MARKER_TAG not in own]
    injected = sum("injected-parameters" in own for own in tags[: error.cell_index])
    return Failure(
        error=f"{error.ename}: {_last_line(error.evalue)}",
        cell=error.cell_index + 1 - injected,
        execution_count=error.exec_count,
        source=error.source.strip().partition("\n")[0],
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _figures() -> dict[str, int]:
    """File name -> time of the last write."""
    found = (path for kind in ("*.pdf", "*.png") for path in paths.figures().glob(kind))
    return {path.name: path.stat().st_mtime_ns for path in found}


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Kernels inherit this process's variables, so they are set here and put back after."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
