"""The site's pages, gathered from the checkout into one folder that Sphinx reads.

Notebooks as they are committed, READMEs, a start page made of the project's README and the route
through the notebooks, and a page of docstrings for each package. Nothing here is run or committed.
"""

import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The route: a heading, what it is for, and how the names of its notebooks begin.
GROUPS = (
    ("The course", "Ideas and tools that all five papers share; read it in order.", "0"),
    ("Eigen-Cluster VIS", "The lead paper: boxes, and a mask's spectrum over time.", "1"),
    ("UVIS", "No labels at all: cuts, names and a memory of prototypes.", "2"),
    ("FlowCut", "No labels at all: what moves together belongs together.", "3"),
    ("PointVIS", "A click or a few for each object.", "4"),
    ("PM-VIS", "Three kinds of masks made from boxes, chosen and mended.", "5"),
    ("Across the papers", "What they say together.", "6"),
)

_LINK = re.compile(r"\[((?:!\[[^]]*\]\([^)]*\)|[^][])*)\]\(([^()#\s]+)((?:#[^()\s]*)?)\)")
_NAME = re.compile(r"(?<![`\[])`evis((?:\.\w+)+|(?:/\w+)+\.py)`(?![`\]])")
_ROW = re.compile(r"^\| \[(\d\d_\w+)\]\(\S+\) \| (.+) \|$", re.MULTILINE)
_SAVED = re.compile(r"""["'](\d\d_\w+)["']""")
_TITLE = re.compile(r"""title(?:=|\()\s*["']([^"']+)["']""")
# Colours of words in tables' outputs, and the same dark enough to be read on white.
_DARKER = {"#D55E00": "#B85000", "#E69F00": "#8F6200", "#a0a0a0": "#6E6E6E"}
_WIDGET = "application/vnd.jupyter.widget-view+json"


def gather(into: Path, root: Path = ROOT) -> None:
    """Write every page below `into`, which is emptied first, with the files that they link to."""
    shutil.rmtree(into, ignore_errors=True)
    for page in notebooks(root) + readmes(root):
        text = page.read_text(encoding="utf-8")
        if page.suffix == ".ipynb":
            text = json.dumps(_notebook(json.loads(text), page, into, root))
        else:
            text = linked(text, page, into, root)
        _write(into / page.relative_to(root), text)
    packages = api(root)
    for name, text in packages.items():
        _write(into / "api" / f"{name}.rst", text)
    _write(into / "api" / "index.md", "# API\n\n" + _toctree(packages, hidden=False))
    _write(into / "index.md", _start(into, root))


def notebooks(root: Path = ROOT) -> list[Path]:
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def readmes(root: Path = ROOT) -> list[Path]:
    """Of the figures, which is the gallery, of the data and of the papers; the project's first."""
    folders = (".", "figures", "data", "data/papers", "data/weights")
    return [root / folder / "README.md" for folder in folders] + sorted(
        (root / "evis" / "papers").glob("*/README.md")
    )


def api(root: Path = ROOT) -> dict[str, str]:
    """{package: page}: its own text, then all of its modules in reStructuredText."""
    pages = {}
    for init in sorted((root / "evis").rglob("__init__.py")):
        package = ".".join(init.parent.relative_to(root).parts)
        modules = sorted(path.stem for path in init.parent.glob("*.py"))
        parts = [package, "=" * len(package), "", f".. automodule:: {package}", ""]
        for name in (f"{package}.{module}" for module in modules if module[0] != "_"):
            parts += [name, "-" * len(name), "", f".. automodule:: {name}"]
            if package != "evis.integrations":  # what these derive from need not be here
                parts += ["   :members:", "   :undoc-members:"]
            parts += [""]
        pages[package] = "\n".join(parts)
    return pages


def linked(text: str, page: Path, into: Path, root: Path = ROOT) -> str:
    """Markdown whose links lead to pages of the site, whatever else they name being copied there.

    Links to modules and bare names of them, as code, lead to what the docstrings say.
    """

    def target(match: re.Match) -> str:
        shown, path, anchor = match.groups()
        shown = _LINK.sub(target, shown)
        place = (page.parent / path).resolve()
        if "://" in path or not place.exists():
            return f"[{shown}]({path}{anchor})"
        place_in_root = place.relative_to(root)
        documented = place.suffix == ".py" or (place / "__init__.py").exists()
        if place_in_root.parts[0] == "evis" and documented and not (place / "README.md").exists():
            return _module(place_in_root, shown.strip("`"))
        if place.is_dir():
            place, path = place / "README.md", f"{path.rstrip('/')}/README.md"
        elif place.suffix not in (".ipynb", ".md"):
            copy = into / place_in_root
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, copy)
        return f"[{shown}]({path}{anchor})"

    def name(match: re.Match) -> str:
        path = match[1]
        return _module(Path("evis" + path)) if path[0] == "/" else f"{{py:obj}}`evis{path}`"

    return _NAME.sub(name, _LINK.sub(target, text))


def described(cell: dict, section: str) -> str:
    """Words for a cell's pictures: their names, the titles drawn in them, where they stand."""
    source = "".join(cell["source"])
    names = ", ".join(map(_words, _SAVED.findall(source))) or "Picture"
    return f"{names}: {'; '.join([*_TITLE.findall(source), section])}"


def _notebook(notebook: dict, page: Path, into: Path, root: Path) -> dict:
    """With links of the site, words for its pictures, and no widgets: they need a kernel."""
    section = page.stem
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            section = ([section] + re.findall(r"^#+ (.+)$", text, re.MULTILINE))[-1]
            cell["source"] = linked(text, page, into, root)
        elif cell["cell_type"] == "code":
            cell["metadata"]["mystnb"] = {"image": {"alt": described(cell, section)}}
            cell["outputs"] = [o for o in cell["outputs"] if _WIDGET not in o.get("data", {})]
            for data in (output.get("data", {}) for output in cell["outputs"]):
                if "text/html" in data:
                    data["text/html"] = _readable("".join(data["text/html"]))
    return notebook


def _readable(html: str) -> str:
    for colour, darker in _DARKER.items():
        html = re.sub(rf"(?<!-)color: {colour}\b", f"color: {darker}", html)
    return html


def _start(into: Path, root: Path) -> str:
    """The top of the project's README, the route, and what else there is."""
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    learned = dict(_ROW.findall(text))
    parts = [linked(text.split("\n## ")[0], readme, into, root), "## The route"]
    for heading, purpose, digit in GROUPS:
        if not (pages := [page for page in notebooks(root) if page.name.startswith(digit)]):
            continue
        cards = "\n".join(_card(page, learned.get(page.stem, ""), into, root) for page in pages)
        names = [f"notebooks/{page.stem}" for page in pages]
        parts += [f"### {heading}\n\n{purpose}\n\n{{.route}}\n{cards}", _toctree(names, heading)]
    others = {page: _heading(page) for page in readmes(root)}
    names = [f"{title} <{_docname(page, root)}>" for page, title in others.items()]
    parts += ["## Reference", _toctree(["API <api/index>", *names], "Reference", hidden=False)]
    return "\n\n".join(parts) + "\n"


def _card(notebook: Path, learned: str, into: Path, root: Path) -> str:
    """A line of the route: the notebook's first figure, its title and what one learns."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    title = "".join(cells[0]["source"]).partition("\n")[0].lstrip("# ")
    names = _SAVED.findall("".join("".join(cell["source"]) for cell in cells))
    drawn = [name for name in names if (root / f"figures/{name}.png").exists()]
    picture = f"![{_words(drawn[0])}](figures/{drawn[0]}.png)" if drawn else ""
    line = f"- [{picture}**{title}**](notebooks/{notebook.name}) {learned}"
    return linked(line, root / "README.md", into, root)


def _words(figure: str) -> str:
    """04_one_box -> One box."""
    return figure[3:].replace("_", " ").capitalize()


def _heading(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def _docname(page: Path, root: Path) -> str:
    return page.relative_to(root).with_suffix("").as_posix()


def _module(path: Path, shown: str = "") -> str:
    """evis/losses/tel.py -> a link to what its docstrings say."""
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    return f"{{py:mod}}`{shown} <{name}>`" if shown else f"{{py:mod}}`{name}`"


def _toctree(names, caption: str = "", hidden: bool = True) -> str:
    options = [":maxdepth: 1"] + [":hidden:"] * hidden
    options += [f":caption: {caption}"] * bool(caption)
    return "\n".join(["```{toctree}", *options, "", *names, "```"])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    gather(Path(sys.argv[1]))
