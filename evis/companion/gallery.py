"""figures/README.md: every figure under its notebook, with what the notebook says it takes."""

from pathlib import Path

import nbformat

from evis.data import files, paths

HEAD = (
    "# Figures\n\n"
    "Written by `make figures STORE=1`, as is this page; `make figures ONLY=NN` draws a "
    "notebook's figures again. Each is here as PNG and PDF, what moves as GIF. What the numbers in "
    "them come from is told in the notebooks."
)


def write() -> Path:
    return files.write_text(paths.figures() / "README.md", page())


def page() -> str:
    """The page's text, from the notebooks and from the figures that begin with their numbers."""
    parts = [HEAD]
    for notebook in sorted(paths.notebooks().glob("[0-9][0-9]_*.ipynb")):
        title, takes = _told(notebook)
        drawn = sorted(path.name for path in paths.figures().glob(f"{notebook.name[:3]}*.*"))
        parts += [f"## [{title}](../notebooks/{notebook.name})", takes]
        parts += ["\n".join(_shown(name) for name in drawn if not name.endswith(".pdf"))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _shown(name: str) -> str:
    """A picture that leads to its PDF, or to itself if it moves."""
    stem, pdf = name.partition(".")[0], name.replace(".png", ".pdf")
    return f"[![{stem}]({name})]({pdf})"


def _told(notebook: Path) -> tuple[str, str]:
    """Title and "What it takes", the paragraph of its first cell; empty where there is none."""
    text = nbformat.read(notebook, as_version=4).cells[0].source
    paragraphs = text.split("\n\n")
    takes = [own for own in paragraphs if own.startswith("**What it takes:**")]
    return paragraphs[0].lstrip("# "), "".join(takes)
