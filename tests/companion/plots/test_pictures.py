"""Pictures of videos show what they are given; pictures of metrics show the metrics' numbers."""

import base64

import matplotlib.pyplot as plt
import numpy as np
import pytest

from evis.companion import perturb
from evis.companion.plots import metrics, pictures, style
from evis.data import paths, toy
from evis.data.supervision import weaken
from evis.metrics import davis, ytvis


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return toy.build("toy-ytvis19", tmp_path_factory.mktemp("toy") / "set", 4, progress=False)


@pytest.fixture(scope="module")
def perfect(dataset):
    return perturb.perfect(dataset)


def test_a_film_runs_from_the_first_to_the_last_frame(dataset):
    assert pictures.spread(13, 4) == [0, 4, 8, 12] and pictures.spread(2, 3) == [0, 0, 1]
    video = dataset.videos[0]
    plain = pictures.film(dataset, video.id, count=3, scale=2, annotated=False)
    assert [picture.shape for picture in plain] == [(2 * video.height, 2 * video.width, 3)] * 3
    assert (plain[-1][::2, ::2] == dataset.frame(video.id, video.length - 1)).all()
    unlabelled = pictures.film(weaken(dataset, "none"), video.id, count=3, scale=2)
    assert all((a == b).all() for a, b in zip(plain, unlabelled, strict=True))
    labelled = pictures.film(dataset, video.id, count=3, scale=2)
    assert any((a != b).any() for a, b in zip(plain, labelled, strict=True))


def test_maps_of_a_row_share_one_scale():
    low, high = np.zeros((4, 6)), np.full((4, 6), 3.0)
    photograph = np.zeros((4, 6, 3), np.uint8)
    figure = pictures.strip([[low, high], [low, photograph]], titles=[["a", "b"], ["c", "d"]])
    limits = [axis.images[0].get_clim() for axis in figure.axes]
    assert limits[:2] == [(0, 3)] * 2 and limits[2] == (0, 0)
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c", "d"]


def test_the_overlap_picture_gives_the_evaluators_iou(dataset, perfect):
    track = dataset.tracks[0]
    single = dataset.subset([track.video_id])
    length = single.videos[0].length
    shifted = perturb.shift(perfect, right=2)[:1]
    truth = dataset.mask_stack(track.video_id)[0]
    frames = np.stack([dataset.frame(track.video_id, t) for t in range(length)])
    figure = metrics.overlap(frames, truth, np.roll(truth, 2, axis=2) & (np.arange(96) >= 2))
    iou = ytvis.evaluate(single, shifted, progress=False).videos[0].ious[0]
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert texts[-1] == f"{np.nanmax(iou):.2f}" and len(texts) == length + 1


def test_boundary_panels_carry_j_and_f(dataset):
    truth = dataset.tracks[0].mask(4)
    moved = np.roll(truth, 3, axis=1)
    figure = metrics.boundaries(truth, {"same": truth, "moved": moved})
    j, f = 100 * davis.j_measure(truth, moved), 100 * davis.f_measure(truth, moved)
    titles = [axis.get_title() for axis in figure.axes[:2]]
    assert titles == ["same\nJ 100, F 100", f"moved\nJ {j:.0f}, F {f:.0f}"]


def test_a_boundary_panel_shows_what_f_counts(dataset):
    truth = dataset.tracks[0].mask(4)
    moved = np.roll(truth, 3, axis=1)
    picture = np.asarray(metrics.boundaries(truth, {"moved": moved}).axes[0].images[0].get_array())
    black, pink, yellow = (
        (picture == colour).all(-1).sum() for colour in (0.1, metrics.EXTRA, metrics.MISSED)
    )
    edges = davis.boundary(truth).sum()
    precision, recall = black / (black + pink), 1 - yellow / edges
    f = 2 * precision * recall / (precision + recall)
    assert pink and yellow and np.isclose(f, davis.f_measure(truth, moved))


def test_a_judged_mask_shows_what_is_wrong_with_it():
    picture = np.full((8, 12, 3), (40, 80, 120), np.uint8)
    truth, found = np.zeros((2, 8, 12), bool)
    truth[1:7, 1:7], found[1:7, 3:9] = True, True
    drawn = pictures.judged(picture, found, truth, scale=4)[2::4, 2::4]  # amid each pixel
    assert (drawn[found & truth] == picture[0, 0]).all()
    assert (drawn[~found & ~truth] == 24).all()  # dim and grey
    for wrong, colour in ((found & ~truth, style.TOO_MUCH), (truth & ~found, style.MISSED)):
        assert (np.abs(drawn[wrong] - (0.3 * picture[0, 0] + 0.7 * np.array(colour))) < 1).all()
    outlined = (pictures.judged(picture, found, truth, scale=4) == 255).all(-1)
    assert outlined.sum() == 4 * (6 * 4 - 1)  # once around the true mask, enlarged
    assert not (pictures.judged(picture, found) == 255).any()


def test_a_moving_picture_is_told_and_is_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "figures", lambda: tmp_path)
    figure, axis = plt.subplots(figsize=(2, 1), dpi=50)
    frames = []
    for height in (0, 1):
        axis.plot([0, 1], [height, height])
        frames.append(style.pixels(figure))
    plt.close(figure)
    assert frames[0].shape == (50, 100, 3) and (frames[0] != frames[1]).any()
    shown = pictures.moving(frames, "moves", "two lines").data
    content = (tmp_path / "moves.gif").read_bytes()
    assert 'alt="two lines"' in shown and base64.b64encode(content).decode() in shown
