"""The built site: whole by its files, and in a browser that opens it from its folder."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDTHS = (1280, 390)  # a screen's and a phone's


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


@pytest.mark.slow
def test_every_page_opens_in_a_browser_at_two_widths_and_in_two_themes(browser, site):
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


@pytest.mark.slow
def test_the_search_finds_notebooks_and_functions(browser, site):
    for word, page in (("eigenvalues", "05_spectral"), ("pairwise_loss", "evis.losses")):
        browser.open(f"{(site / 'search.html').as_uri()}?q={word}")
        links = """new Promise((done) => setInterval(() => {
          const found = [...document.querySelectorAll("#search-results li a")].map((a) => a.href);
          if (document.querySelector("#search-results .search-summary")) done(found);
        }, 100))"""
        assert any(page in link for link in browser.evaluate(links))
        assert not browser.faults()
