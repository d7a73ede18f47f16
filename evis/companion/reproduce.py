"""Run the notebooks, two at a time and each in a fresh kernel, and say how each of them fared."""

import asyncio
import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import nbformat
import pandas as pd
import papermill
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from tqdm.auto import tqdm

from evis.companion import gallery, kernels, outputs, scales
from evis.data import files, paths
from evis.data.errors import DataError

NUMBERED = re.compile(r"\d\d_.+\.ipynb")
AT_A_TIME = 2


@dataclass(frozen=True)
class Failure:
    error: str
    cell: int | None = None  # 1-based among all cells of the source notebook
    execution_count: int | None = None  # the In [n] of the executed copy
    source: str | None = None  # the cell's first line


@dataclass(frozen=True)
class NotebookRun:
    notebook: str
    seconds: float
    figures: list[str]
    failure: Failure | None = None

    @property
    def verdict(self) -> str:
        return "failed" if self.failure else "ok"


def reproduce(
    scale: str, only: Sequence[str] = (), recompute: bool = False, store: bool = False
) -> list[NotebookRun]:
    """Run all notebooks, or those that `only` names, whatever happens to the others.

    Executed copies go to build/notebooks, the outcomes to build/summary.json. A copy of a notebook
    that failed ends at the failing cell. With default parameters figures go to figures/, else to
    build/figures, as they are not those that are committed. `store` puts the outputs of those that
    did not fail into notebooks/, as they are committed, and their figures onto the gallery page.
    """
    scales.check(scale)
    default = scale == "toy" and not recompute
    if store and not default:
        raise DataError(
            "only a run with default parameters is stored",
            remedy="Leave store out, or run at scale toy without recompute",
        )
    parameters = {"scale": scale, "recompute": recompute}
    figures = paths.figures() if default else paths.build() / "figures"
    selected = select(sorted(paths.notebooks().glob("*.ipynb")), only)
    with asyncio.Runner(loop_factory=_Interruptible) as runner:
        runs = runner.run(_run_all(selected, parameters, figures))
    if store:
        runs = [_stored(run) for run in runs]
        gallery.write()
    summary = [{**asdict(run), "verdict": run.verdict} for run in runs]
    files.write_json(paths.build() / "summary.json", {**parameters, "notebooks": summary}, indent=1)
    return runs


def select(notebooks: Sequence[Path], only: Sequence[str]) -> list[Path]:
    """The numbered notebooks whose number or name stands in `only`; all of them if it is empty."""
    numbered = [path for path in notebooks if NUMBERED.fullmatch(path.name)]
    if not numbered:
        raise DataError("there is no notebook to run", file=paths.notebooks())
    chosen = set()
    for wanted in only:
        number = wanted.lstrip("0").zfill(2) if wanted.isdecimal() else wanted
        names = {path: (path.name, path.stem, path.stem[3:], path.name[:2]) for path in numbered}
        matches = {path for path in numbered if number in names[path]}
        if not matches:
            choices = ", ".join(path.stem for path in numbered)
            raise DataError(f"no notebook is called {wanted!r}", remedy=f"There are: {choices}")
        chosen |= matches
    return [path for path in numbered if path in chosen or not only]


def report(runs: Sequence[NotebookRun]) -> str:
    """The summary table, then where each failed notebook stopped."""
    lines = [(run.notebook, run.seconds, len(run.figures), run.verdict) for run in runs]
    table = pd.DataFrame(lines, columns=["notebook", "seconds", "figures", "verdict"])
    parts = [table.to_string(index=False)]
    for run in runs:
        if failure := run.failure:
            parts.append(f"\n{run.notebook}: {failure.error}")
            if failure.cell:
                place = f"cell {failure.cell} (In [{failure.execution_count}])"
                parts.append(f"  in {place}: {failure.source}")
                parts.append(f"  read build/notebooks/{run.notebook}.ipynb")
    return "\n".join(parts)


class _Interruptible(asyncio.SelectorEventLoop):
    """Ctrl-C ends every notebook, as asyncio has it; nbclient would end one and wait for it."""

    def add_signal_handler(self, *_: object) -> None:
        raise RuntimeError("as outside the main thread, where nbclient does without")


async def _run_all(
    notebooks: Sequence[Path], parameters: dict[str, str | bool], figures: Path
) -> list[NotebookRun]:
    """In the notebooks' order, whichever ends first."""
    free = asyncio.Semaphore(AT_A_TIME)
    with tqdm(total=len(notebooks), unit="notebook", leave=False) as bar:

        async def run(notebook: Path) -> NotebookRun:
            async with free:
                done = await _run(notebook, parameters, figures)
            bar.update()
            return done

        try:
            async with asyncio.TaskGroup() as group:  # waits for kernels to end, after Ctrl-C too
                tasks = [group.create_task(run(notebook)) for notebook in notebooks]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]


async def _run(notebook: Path, parameters: dict[str, str | bool], figures: Path) -> NotebookRun:
    """One notebook. Any error is this notebook's failure, so that the others still run."""
    copy = _copy(notebook.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)  # an earlier run's copy must not pass for this one's
    environment = os.environ | kernels.environment() | {"EVIS_FIGURES": str(figures)}
    start = time.time()
    failure = None
    try:
        book = _with_parameters(notebook, parameters)
        try:
            await _execute(book, notebook.parent, environment)
        finally:
            files.write_text(copy, f"{nbformat.writes(book).rstrip()}\n")
    except CellExecutionError as error:
        failure = _failure(error, book)
    except Exception as error:
        failure = Failure(f"{type(error).__name__}: {_last_line(str(error))}")
    own = figures.glob(_pattern(notebook.stem))
    drawn = sorted(path.name for path in own if path.stat().st_mtime >= start)
    return NotebookRun(notebook.stem, round(time.time() - start, 1), drawn, failure)


def _with_parameters(notebook: Path, parameters: dict) -> NotebookNode:
    """As papermill does it: those that the notebook declares, in a cell behind its own."""
    book = load_notebook_node(str(notebook))
    declared = papermill.inspect_notebook(str(notebook))
    own = {name: value for name, value in parameters.items() if name in declared}
    return parameterize_notebook(book, own) if own else book


async def _execute(book: NotebookNode, folder: Path, environment: dict[str, str]) -> None:
    """In this Python's own kernel, whatever others are installed."""
    client = NotebookClient(book, timeout=None, kernel_name="python3")
    client.create_kernel_manager().kernel_spec_manager.kernel_dirs = []
    await client.async_execute(cwd=str(folder), env=environment)


def _stored(run: NotebookRun) -> NotebookRun:
    """With its outputs in notebooks/, if it did not fail, and without figures of earlier runs."""
    if run.failure:
        return run
    name = f"{run.notebook}.ipynb"
    try:
        outputs.store(_copy(name), paths.notebooks() / name)
    except ValueError as error:  # edited while it ran
        return replace(run, failure=Failure(str(error)))
    for figure in paths.figures().glob(_pattern(run.notebook)):
        if figure.name not in run.figures:
            figure.unlink()
    return run


def _pattern(notebook: str) -> str:
    """A figure's name begins with its notebook's number."""
    return f"{notebook[:3]}*"


def _copy(name: str) -> Path:
    return paths.build() / "notebooks" / name


def _failure(error: CellExecutionError, book: NotebookNode) -> Failure:
    """A reader looks for the cell in the source notebook, which has no injected one."""
    own = [c for c in book.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    raised = ["error" in [o.output_type for o in c.get("outputs", [])] for c in own]
    failed = own[raised.index(True)]
    return Failure(
        error=f"{error.ename}: {_last_line(error.evalue)}",
        cell=raised.index(True) + 1,
        execution_count=failed.execution_count,
        source=failed.source.strip().partition("\n")[0],
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
