"""The site's pages, the site built from them, and a browser to open it in."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import websocket

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.fixture(scope="session")
def pages():
    specification = importlib.util.spec_from_file_location("evis_book_pages", BOOK / "pages.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def site(pages, tmp_path_factory):
    """The built site: as `make book` builds it, elsewhere."""
    if not all(map(importlib.util.find_spec, ("furo", "myst_nb", "sphinx"))):
        pytest.skip("the site's packages come by `make book`")
    folder = tmp_path_factory.mktemp("book")
    pages.gather(folder / "source")
    command = [sys.executable, "-m", "sphinx", "-q", "-j", "2", "-c", BOOK]
    command += ["-d", folder / "doctrees", folder / "source", folder / "site"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return folder / "site"


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
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    opened = Browser(tmp_path)
    yield opened
    opened.close()
