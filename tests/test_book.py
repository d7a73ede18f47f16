"""The site: every notebook is on it, links lead somewhere, and it opens in a browser by file://."""

import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import websocket

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
HAS_SPHINX = all(importlib.util.find_spec(name) for name in ("myst_nb", "furo", "sphinx"))
needs_sphinx = pytest.mark.skipif(not HAS_SPHINX, reason="the site's packages come by `make book`")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
WIDTHS = (1280, 390)  # a screen's and a phone's


@pytest.fixture(scope="module")
def pages():
    specification = importlib.util.spec_from_file_location("evis_book_pages", BOOK / "pages.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def restructured():
    return runpy.run_path(str(BOOK / "docstrings.py"))["restructured"]


@pytest.fixture(scope="module")
def site(pages, tmp_path_factory):
    """The built site: as `make book` builds it, elsewhere."""
    folder = tmp_path_factory.mktemp("book")
    pages.gather(folder / "source")
    made = [folder / "source", folder / "site"]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-j",
            "2",
            "-c",
            BOOK,
            "-d",
            folder / "doctrees",
            *made,
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    return folder / "site"


def test_every_notebook_is_on_the_route_once(pages, tmp_path):
    pages.gather(tmp_path)
    start = (tmp_path / "index.md").read_text()
    for notebook in pages.notebooks():
        assert start.count(f"\nnotebooks/{notebook.stem}\n") == 1
        assert start.count(f"**](notebooks/{notebook.name})") == 1
        assert (tmp_path / "notebooks" / notebook.name).is_file()
    for readme in pages.readmes():
        assert (tmp_path / readme.relative_to(ROOT)).is_file()


def test_every_module_is_in_the_api(pages):
    text = "\n".join(pages.api().values())
    for module in (ROOT / "evis").rglob("[!_]*.py"):
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
        assert f"automodule:: {name}\n" in text


def test_links_lead_to_pages_to_docstrings_or_to_copies(pages, tmp_path):
    page = ROOT / "notebooks" / "00_start_here.ipynb"

    def linked(text):
        return pages.linked(text, page, tmp_path)

    for same in ("[a](04_box_supervision.ipynb#tk)", "[b](https://arxiv.org/abs/2408.16661)"):
        assert linked(same) == same
    assert linked("[it](../evis/losses/tel.py)") == "{py:mod}`it <evis.losses.tel>`"
    assert linked("[`evis/losses`](../evis/losses)") == "{py:mod}`evis/losses <evis.losses>`"
    assert linked("see `evis/losses/tk.py`.") == "see {py:mod}`evis.losses.tk`."
    assert linked("`evis.data.toy.build`") == "{py:obj}`evis.data.toy.build`"
    assert linked("[d](../data)") == "[d](../data/README.md)"
    csv = "[c](../data/papers/facts.csv)"
    assert linked(csv) == csv
    assert (tmp_path / "data" / "papers" / "facts.csv").is_file()
    picture = "[![x](../figures/00_task.png)](../figures/00_task.pdf)"
    assert linked(picture) == picture
    assert {path.name for path in tmp_path.rglob("00_task.*")} == {"00_task.png", "00_task.pdf"}


def test_pictures_are_described_by_name_title_and_section(pages):
    cell = {"source": ['axis.set(title="Boxes")\n', 'style.save(figure, "04_one_box")']}
    assert pages.described(cell, "A box") == "One box: Boxes; A box"
    assert pages.described({"source": "plot()"}, "A box") == "Picture: A box"


def test_progress_bars_stay_out_and_pale_words_are_darkened(pages, tmp_path):
    (tmp_path / "notebooks").mkdir()
    widget = {"data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "0%"}}
    styles = ["td {color: #E69F00; ", "background-color: #E69F00}"]
    table = {"data": {"text/html": styles}}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# 00 A"},
        {"cell_type": "code", "metadata": {}, "source": "", "outputs": [widget, table]},
    ]
    notebook = pages._notebook({"cells": cells}, ROOT / "notebooks/00_a.ipynb", tmp_path, ROOT)
    (shown,) = notebook["cells"][1]["outputs"]
    assert shown["data"]["text/html"] == "td {color: #8F6200; background-color: #E69F00}"


def test_docstrings_become_lists_and_literals(restructured):
    lines = [
        "What |a| is, b * c, (*d, *e).",
        "",
        "name: what",
        "    it: means",
        "other: more",
        "",
        "    x  y",
    ]
    assert restructured(lines) == [
        r"What \|a\| is, b \* c, (\*d, \*e).",
        "",
        *("", "- name: what", "  it: means", "- other: more", ""),
        *("::", "", "    x  y", ""),
    ]


class Page(HTMLParser):
    """What a page links to, loads, shows and can be linked at."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loads, self.ids, self.pictures, self.equations = [], [], set(), [], 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[key] for key in ("id", "name") if given.get(key)}
        self.equations += "math" in (given.get("class") or "").split()
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "img":
            self.pictures.append(given)
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in ("index", "search", "next", "prev"):
            self.loads.append(given["href"])


@needs_sphinx
@pytest.mark.slow
def test_the_site_is_whole(site, pages):
    found = {path: Page(path) for path in site.rglob("*.html")}
    for path, page in found.items():
        for picture in page.pictures:
            assert picture.get("alt", "").strip(), f"{path.name}: {picture['src'][:80]}"
        for load in page.loads:
            assert not re.match(r"(https?:)?//", load), f"{path.name} loads {load}"
        for link in page.links + page.loads:
            if re.match(r"https?:|mailto:|data:", link):
                continue
            place, anchor = urldefrag(link.partition("?")[0])
            there = (path.parent / unquote(place)).resolve() if place else path
            assert there.is_file(), f"{path.name} links to {link}"
            if anchor and there.suffix == ".html":
                assert unquote(anchor) in found[there].ids, f"{path.name} links to {link}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text()), style.name
    for notebook in pages.notebooks():
        shown = found[site / "notebooks" / f"{notebook.stem}.html"]
        pictures = notebook.read_text().count('"image/') + notebook.read_text().count("<img ")
        assert len(shown.pictures) >= pictures
    assert sum(page.equations for page in found.values()) > 100
    api = set().union(*(found[path].ids for path in (site / "api").glob("*.html")))
    for module in (ROOT / "evis").rglob("[!_]*.py"):
        assert f"module-{'.'.join(module.relative_to(ROOT).with_suffix('').parts)}" in api


class Browser:
    """Headless Chromium by its DevTools protocol."""

    def __init__(self, profile: Path):
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
            + ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
            + ["--disable-sync", f"--user-data-dir={profile}", "--remote-debugging-port=0"]
            + ["about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = profile / "DevToolsActivePort"
        until = time.monotonic() + 120
        while not (port.exists() and port.read_text().count("\n")):
            assert self.process.poll() is None and time.monotonic() < until, "Chromium didn't start"
            time.sleep(0.1)
        address = f"http://127.0.0.1:{port.read_text().split()[0]}/json/list"
        (tab,) = (t for t in json.load(urllib.request.urlopen(address)) if t["type"] == "page")
        url = tab["webSocketDebuggerUrl"]
        self.socket = websocket.create_connection(url, suppress_origin=True, timeout=120)
        self.number, self.events = 0, []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        while (answer := self._next()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url: str) -> None:
        self.events.clear()
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in (event["method"] for event in self.events):
            self._next()

    def evaluate(self, script: str):
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def width(self, pixels: int) -> None:
        size = {"width": pixels, "height": 844, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def faults(self) -> list:
        """Of the page that is open: what failed, and what it asked others for."""
        kinds = {"Runtime.exceptionThrown", "Network.loadingFailed", "Log.entryAdded"}
        found = [event for event in self.events if event["method"] in kinds]
        for event in self.events:
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                found += [url] * (not url.startswith(("file:", "data:", "blob:")))
            if event["method"] == "Runtime.consoleAPICalled":
                found += [event] * (event["params"]["type"] in ("error", "assert"))
        return found

    def _next(self) -> dict:
        message = json.loads(self.socket.recv())
        if "method" in message:
            self.events.append(message)
        return message

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def browser(tmp_path):
    opened = Browser(tmp_path)
    yield opened
    opened.close()


# Equations drawn and not, once MathJax has done what it will do.
EQUATIONS = """(async () => {
  if (window.MathJax) await MathJax.startup.promise;
  const count = (what) => document.querySelectorAll(what).length;
  return [count(".math"), count(".math mjx-container"), count("[data-mjx-error], mjx-merror")];
})()"""
SURPLUS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Texts below WCAG's AA: 4.5 to 1, or 3 to 1 where they are large.
PALE = """((theme) => {
  document.body.dataset.theme = theme;
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], [R, G, B]) =>
    [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const behind = (element) => {
    if (!element) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(element.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({visibilityProperty: true}))
      continue;
    const style = getComputedStyle(element), ground = behind(element);
    const [a, b] = [light(over(parse(style.color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5))
      found.set(style.color + ground, [theme, ratio, walker.currentNode.data.trim(), style.color,
        ground.join(), element.outerHTML.slice(0, 120)]);
  }
  return [...found.values()];
})"""
# Nothing moves and nothing is folded.
SETTLED = """document.querySelectorAll("details").forEach((folded) => { folded.open = true; });
document.head.append(Object.assign(document.createElement("style"),
  {textContent: "* { transition: none !important; }"}))"""


@needs_sphinx
@needs_chromium
@pytest.mark.slow
def test_every_page_opens_in_a_browser_at_two_widths_and_in_two_themes(site, browser):
    faults = []
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site)
        browser.width(WIDTHS[0])
        browser.open(path.as_uri())
        shown, drawn, wrong = browser.evaluate(EQUATIONS)
        if drawn < shown or wrong:
            faults.append((name, "equations", shown, drawn, wrong))
        browser.evaluate(SETTLED)
        for theme in ("light", "dark"):
            faults += [(name, *pale) for pale in browser.evaluate(f"{PALE}('{theme}')")]
        for width in WIDTHS:
            browser.width(width)
            if (surplus := browser.evaluate(SURPLUS)) > 0:
                faults.append((name, "too wide", width, surplus))
        faults += [(name, fault) for fault in browser.faults()]
    assert not faults, "\n".join(map(str, faults))


@needs_sphinx
@needs_chromium
@pytest.mark.slow
def test_the_search_finds_notebooks_and_functions(site, browser):
    for word, page in (("eigenvalues", "05_spectral"), ("pairwise_loss", "evis.losses")):
        browser.open(f"{(site / 'search.html').as_uri()}?q={word}")
        links = """new Promise((done) => setInterval(() => {
          const found = [...document.querySelectorAll("#search-results li a")].map((a) => a.href);
          if (document.querySelector("#search-results .search-summary")) done(found);
        }, 100))"""
        assert any(page in link for link in browser.evaluate(links))
        assert not browser.faults()
