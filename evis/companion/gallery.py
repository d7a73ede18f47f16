"""figures/README.md: every figure, its notebook, what it is made from, and the seconds it takes."""

import json
from collections.abc import Sequence
from pathlib import Path

import nbformat

from evis.data import files, paths

RECORD = "gallery.json"

# What a notebook's figures are made from, where the page says so. Measured rows: the groups of
# `evis measure`.
MADE_FROM = {
    "00": "generated videos; published tables",
    "01": "generated videos, degraded step by step",
    "02": "masks made for the purpose; times measured in the run",
    "03": "generated clips, fits of single clips",
    "04": "generated clips, fits of single clips",
    "05": "`toy_video.safetensors` on generated videos",
    "06": "measured rows: `evis measure comparison --size tiny` and `evis measure 'from nothing' "
    "--size tiny`, a run of a few steps, the budget",
    "07": "`toy_video.safetensors` on generated and real videos",
    "09": "published tables",
    "10": "published tables; measured rows: `evis measure comparison` with `--size tiny_s`, `tiny` "
    "and `tiny_l`, `evis measure 'from nothing'`",
    "11": "published tables; measured rows: `evis measure comparison components eigenvalues "
    "placebos released unreported schemes`",
    "12": "published tables; measured rows: `evis measure comparison --generalisation`",
    "13": "`toy_tk_tiny_s.safetensors`, `toy_eigencluster_tiny_s.safetensors`, generated videos",
    "14": "published tables; all measured rows",
    "15": "one batch of generated clips; measured rows: `evis measure comparison components "
    "placebos released unreported schemes`",
    "16": "measured rows: `evis measure comparison beyond 'beyond again' --validation --seeds 100 "
    "101`, then the chosen with `--rows`, `evis measure comparison 'beyond control'`",
}


def record(seconds: dict[str, float], figures: dict[str, Sequence[str]]) -> Path:
    """Keep what these notebooks took and drew, beside what others did, and write the page anew."""
    path = paths.figures() / RECORD
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for notebook, taken in seconds.items():
        pictures = sorted(name for name in figures[notebook] if name.endswith(".png"))
        known[notebook] = {"seconds": taken, "figures": pictures}
    there = {notebook.stem for notebook in paths.notebooks().glob("*.ipynb")}
    known = {name: known[name] for name in sorted(known) if name in there}
    text = page(known)  # before anything is written: a notebook that it can't show stays out
    files.write_json(path, known, indent=1)
    return files.write_text(paths.figures() / "README.md", text)


def page(known: dict[str, dict]) -> str:
    """Notebook -> its seconds and pictures, as the page's text."""
    lines = [
        "# Figures",
        "",
        "Written by `make figures STORE=1`, as is this page; `make figures ONLY=NN` draws a "
        "notebook's figures again. Each is here as PNG and PDF. Seconds are of the stored run, on "
        "two cores.",
    ]
    for notebook, own in known.items():
        source = f"../notebooks/{notebook}.ipynb"
        lines += [
            "",
            f"## [{_title(notebook)}]({source})",
            "",
            f"{_made_from(notebook)}Seconds: {own['seconds']:.0f}.",
            "",
        ]
        lines += [f"[![{p[:-4]}]({p})]({p[:-4]}.pdf)" for p in own["figures"]]
    return "\n".join(lines) + "\n"


def _made_from(notebook: str) -> str:
    origin = MADE_FROM.get(notebook[:2])
    return f"Made from: {origin}. " if origin else ""


def _title(notebook: str) -> str:
    cells = nbformat.read(paths.notebooks() / f"{notebook}.ipynb", as_version=4).cells
    return cells[0].source.partition("\n")[0].lstrip("# ")
