"""Notebook 13's diagrams show what the losses compute, and can be read."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.text import Text

from evis.companion.plots import style
from evis.criterion.step import Step
from evis.data import toy
from evis.data.clips import ClipDataset
from evis.data.supervision import weaken
from evis.losses import qcc, tel
from evis.models import VideoMask2Former, named
from evis.papers.eigencluster.figures import loss_diagrams, page, pipeline
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.one_clip import follow
from evis.papers.eigencluster.settings import Settings

DRAWINGS = {
    "pipeline": pipeline.figure_two,
    "quality": loss_diagrams.figure_three,
    "eigenvalues": loss_diagrams.figure_four,
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return VideoMask2Former(named("tiny_s", classes=8)).eval()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """By number of objects, a clip that carries boxes only."""
    root = tmp_path_factory.mktemp("toy") / "set"
    dataset = weaken(toy.build("toy-ytvis19", root, 8, progress=False), "box")
    cut = ClipDataset(dataset, frame_range=1, shorter_sides=(64,), longest_side=96, flip=0.0)
    found = [cut.clip(video.id, np.random.default_rng(0)) for video in dataset.videos]
    return {len(clip.labels): clip for clip in found}


@pytest.fixture(scope="module")
def found(model, clips):
    return follow(model, clips[2], Settings(warm_up_steps=100, points=256))


@pytest.fixture(scope="module")
def drawn(found):
    """The three figures, as notebooks draw them."""
    with plt.rc_context():
        style.use()
        figures = {name: draw(found) for name, draw in DRAWINGS.items()}
        for figure in figures.values():
            figure.canvas.draw()
        yield figures
    plt.close("all")


def test_a_trace_holds_what_the_criterion_counts(found, model, clips):
    """Sums of its parts are the criterion's own values."""
    with torch.no_grad():
        prediction = model(clips[2].frames[None])
        random = torch.Generator().manual_seed(0)
        terms = Loss(found.settings)(prediction, [clips[2]], Step(100), random)
    for name in ("projection", "pairwise", "tk", "tel", "temporal", "qcc", "class"):
        assert found.terms[name] == pytest.approx(float(terms[name]), rel=1e-4), name
    assert float(found.tk.sum()) == pytest.approx(found.terms["tk"], rel=1e-4)
    assert float(found.tel.sum()) == pytest.approx(found.terms["tel"], rel=1e-4)
    score = qcc.davies_bouldin(found.points[None], found.clusters[None])
    assert 1 + float(score) == pytest.approx(found.terms["qcc"], rel=1e-4)


def test_a_trace_has_the_papers_shapes(found):
    assert found.frames.shape == (3, 64, 96, 3)
    assert found.logits.shape == (10, 3, 32, 48) and found.instances.shape == (2, 3, 32, 48)
    assert torch.equal(found.instances, found.logits[found.queries])
    assert found.matches.shape == (3, 9, 32, 48) and found.matches.sum(1).max() <= 5
    assert found.spectra.shape == (2, 3, 3) and found.small.shape == (2, 3, 8, 12)
    assert found.points.shape == (3 * 8 * 12, 10) and found.clusters.shape == (3 * 8 * 12,)


def test_the_total_of_the_pipeline_is_its_formula(found, drawn):
    weights, terms = found.settings.weights, found.terms
    psi = float(tel.temporal_loss(found.tk, found.tel, found.settings.beta))
    seen = (
        weights["projection"] * terms["projection"]
        + weights["pairwise"] * terms["pairwise"]
        + weights["temporal"] * found.settings.temporal_factor * psi
    )
    total = weights["class"] * terms["class"] + terms["qcc"] * seen
    assert total == pytest.approx(terms["total"], rel=1e-4)
    texts = [text.get_text() for text in drawn["pipeline"].axes[0].texts]
    assert any(text.endswith(f"= {total:.2f}") for text in texts)


def test_the_matrices_drawn_are_those_of_the_laplacian(found):
    affinity, degree, laplacian = found.matrices()
    pixels = found.small[0].flatten(1).sort(-1, descending=True).values
    torch.testing.assert_close(laplacian, tel.laplacian(pixels))
    torch.testing.assert_close(degree - affinity, laplacian)
    smallest = torch.linalg.eigvalsh(laplacian.double())[:, :3]
    assert smallest.numpy() == pytest.approx(found.spectra[0].double().numpy(), abs=1e-3)


def test_the_plane_keeps_the_distance_of_the_centroids(found):
    (points, centres), (far, _) = found.plane(), found.centroids()
    assert float((centres[1] - centres[0]).norm()) == pytest.approx(float((far[1] - far[0]).norm()))
    assert centres[:, 1].abs().max() < 1e-3 * centres[:, 0].abs().max()
    assert points.shape == (len(found.points), 2)


def beyond_view(axes):
    """Labels of ticks that lie outside an axes' limits, which are not drawn."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


@pytest.mark.parametrize("name", DRAWINGS)
def test_words_are_large_enough_and_apart(drawn, name):
    figure = drawn[name]
    canvas, words = figure.bbox, []
    beyond = {label for axes in figure.findobj(Axes) for label in beyond_view(axes)}
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible() and text not in beyond:
            assert text.get_fontsize() >= page.SMALL, text.get_text()
            words.append((text.get_text(), text.get_window_extent()))
    for text, place in words:
        assert place.x0 >= canvas.x0 and place.x1 <= canvas.x1, text
        assert place.y0 >= canvas.y0 and place.y1 <= canvas.y1, text
    for (one, first), (other, second) in itertools.combinations(words, 2):
        shared = (min(first.x1, second.x1) - max(first.x0, second.x0)) * (
            min(first.y1, second.y1) - max(first.y0, second.y0)
        )
        assert not first.overlaps(second) or shared < 4, (one, other)  # square pixels


@pytest.mark.parametrize("name", DRAWINGS)
def test_shapes_and_values_are_the_traces(found, drawn, name):
    words = " ".join(text.get_text() for text in drawn[name].findobj(Text))
    shape = {"pipeline": "1 × 3 × 3 × 64 × 96", "quality": "288 × 10", "eigenvalues": "96 × 96"}
    assert shape[name] in words
    value = {
        "pipeline": f"{found.terms['tel']:.1f}",
        "quality": f"{found.terms['qcc']:.2f}",
        "eigenvalues": f"{float(found.tel[0]):.1f}",
    }
    assert value[name] in words


def test_tk_is_divided_as_the_loss_divides_it(model, clips):
    found = {
        how: follow(model, clips[2], Settings(warm_up_steps=100, points=256, tk_mean=how))
        for how in ("pixels", "matches")
    }
    assert found["pixels"].psi != found["matches"].psi
    for one in found.values():
        factor = one.settings.temporal_factor
        assert factor * one.psi == pytest.approx(one.terms["temporal"], rel=1e-4)


def test_diagrams_are_laid_out_for_two_objects(model, clips):
    with pytest.raises(ValueError, match="two objects"):
        follow(model, clips[1], Settings(points=256))
