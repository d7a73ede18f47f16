"""Figures stay small, the same on any day, and what looks the same is not written again."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image, ImageSequence

from evis.companion.plots import compression, style
from evis.data import paths


def photographs(number: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Smooth noise: many colours, as in a photograph."""
    small = np.random.default_rng(seed).integers(0, 256, (number, 24, 36, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(one).resize((720, 480), Image.BICUBIC)) for one in small]


def drawn(title: str, pictures: list[np.ndarray]):
    figure, axes = plt.subplots(1, len(pictures), squeeze=False, figsize=(7, 2))
    for axis, picture in zip(axes[0], pictures, strict=True):
        style.bare(axis).imshow(picture)
    axes[0, 0].set_title(title)
    return figure


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "figures", lambda: tmp_path)
    return tmp_path


def test_photographs_are_jpeg_in_a_pdf_and_its_text_stays_text():
    pdf = compression.rendered(drawn("AP 47", photographs(2)))["pdf"]
    assert len(re.findall(rb"/Filter /DCTDecode", pdf)) == 2
    starts = [found.start() for found in re.finditer(rb"\xff\xd8\xff", pdf)]
    for start in starts:
        assert np.ptp(np.asarray(Image.open(io.BytesIO(pdf[start:])))) > 200
    assert len(starts) == 2 and b"/Type /Font" in pdf


def test_a_map_of_few_colours_stays_exact_in_a_pdf():
    figure, axis = plt.subplots()
    axis.imshow(np.arange(16).reshape(4, 4))
    assert b"DCTDecode" not in compression.rendered(figure)["pdf"]


@pytest.mark.slow
def test_every_file_stays_below_the_limit():
    noise = np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8)
    figure = drawn("noise", [np.asarray(Image.fromarray(noise).resize((600, 400)))])
    figure.set_size_inches(6, 4)
    assert len(compression._png(figure, compression.RESOLUTIONS[0])) > compression.LIMIT
    assert max(map(len, compression.rendered(figure).values())) <= compression.LIMIT


@pytest.fixture
def coarse(monkeypatch):
    """One resolution: a seventh of the time, where it does not matter how many bytes there are."""
    monkeypatch.setattr(compression, "RESOLUTIONS", (80,))


@pytest.mark.usefixtures("coarse")
def test_the_same_figure_gives_the_same_bytes():
    one, other = (compression.rendered(drawn("AP 47", photographs())) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("resolutions", [compression.RESOLUTIONS, (80,)])
def test_what_looks_the_same_is_not_rendered_again_but_marked_as_drawn(
    resolutions, folder, monkeypatch
):
    pictures = photographs()
    with monkeypatch.context() as then:
        then.setattr(compression, "RESOLUTIONS", resolutions)
        style.save(drawn("AP 47", pictures), "figure")
    monkeypatch.setattr(compression, "rendered", None)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == {"figure.pdf", "figure.png"}
    stamp = (folder / "figure.png").stat().st_mtime_ns
    noisy = [
        np.clip(p.astype(int) + (np.indices(p.shape).sum(0) % 3 - 1), 0, 255) for p in pictures
    ]
    style.save(drawn("AP 47", [p.astype(np.uint8) for p in noisy]), "figure")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert (folder / "figure.png").stat().st_mtime_ns > stamp


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("title", ["AP 48", "AP 41", "AR 47"])
def test_one_other_character_is_another_picture(folder, title):
    style.save(drawn("AP 47", photographs()), "figure")
    before = (folder / "figure.png").read_bytes()
    style.save(drawn(title, photographs()), "figure")
    assert (folder / "figure.png").read_bytes() != before


def test_a_point_that_moved_is_another_picture():
    def plotted(height):
        figure, axis = plt.subplots(figsize=(3, 2))
        axis.plot([0, 1, 2], [1, height, 3], "o", markersize=3)
        axis.set(xlim=(-1, 3), ylim=(0, 4))
        return compression.rendered(figure)["png"]

    assert compression.look_alike(plotted(2.0), plotted(2.0001))
    assert not compression.look_alike(plotted(2.0), plotted(2.05))


def test_photographs_and_plots_are_told_apart():
    def png(picture):
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "png")
        return content.getvalue()

    lines = np.full((200, 300, 3), 255, np.uint8)
    lines[50], lines[:, 80] = 0, (0, 114, 178)
    kinds = [compression.smallest(png(picture))[0] for picture in (photographs()[0], lines)]
    assert kinds == ["image/jpeg", "image/png"]


def test_an_animation_that_looks_the_same_keeps_its_bytes(folder):
    frames = [np.roll(photographs()[0][::4, ::4], 5 * n, axis=1) for n in range(3)]
    first = style.save_animation(frames, "moving")
    with Image.open(io.BytesIO(first)) as moving:
        assert moving.n_frames == 3 and moving.info["loop"] == 0
    nearly = [np.clip(frame.astype(int) + 1, 0, 255).astype(np.uint8) for frame in frames]
    assert style.save_animation(nearly, "moving") == first
    assert style.save_animation(frames[:2] + [255 - frames[2]], "moving") != first


def test_small_things_keep_their_colours_in_an_animation():
    noise = np.random.default_rng(0).normal((110, 80, 120), (12, 12, 12), (200, 300, 3))
    frame = noise.clip(0, 255).astype(np.uint8)
    identities = [(40, 110, 180), (190, 130, 20), (60, 130, 80)]
    for number, colour in enumerate(identities):
        frame[90:110, 60 * (number + 1) :][:, :20] = colour
    (shown,) = ImageSequence.Iterator(Image.open(io.BytesIO(compression.gif([frame], 1))))
    shown = np.asarray(shown.convert("RGB")).astype(int)
    for number, colour in enumerate(identities):
        assert abs(shown[100, 60 * (number + 1) + 10] - colour).max() < 16


@pytest.mark.parametrize(
    "parameters, where",
    [
        ({}, "figures"),
        ({"scale": "toy", "recompute": False}, "figures"),
        ({"scale": "smoke"}, "build/figures"),
        ({"scale": "full"}, "build/figures"),
        ({"scale": "toy", "recompute": True}, "build/figures"),
    ],
)
@pytest.mark.usefixtures("coarse")
def test_a_run_that_is_not_the_default_leaves_committed_figures_alone(
    parameters, where, tmp_path, monkeypatch
):
    """As under papermill, which says nothing of where figures should go."""
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    monkeypatch.delenv("EVIS_FIGURES", raising=False)
    shell = InteractiveShell.instance()
    shell.user_ns.update(parameters)
    try:
        style.save(drawn("AP", photographs()), "01_a")
        style.save_animation(photographs(2), "01_b")
    finally:
        InteractiveShell.clear_instance()
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*") if path.is_file()]
    assert sorted(map(str, written)) == [f"{where}/01_{n}" for n in ("a.pdf", "a.png", "b.gif")]
