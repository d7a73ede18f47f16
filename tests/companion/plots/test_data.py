"""The pictures of data and metrics show what they are given, and the numbers of the metrics."""

import numpy as np
import pandas as pd
import pytest

from evis.companion import perturb
from evis.companion.plots import boundaries
from evis.companion.plots import data as pictures
from evis.companion.plots import metrics as views
from evis.data import toy
from evis.data.clips import ClipDataset
from evis.data.errors import DataError
from evis.data.supervision import P1N1, weaken
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


def test_points_are_drawn_once_a_draw_and_kind(dataset):
    figure = pictures.point_clouds(dataset, dataset.tracks[0].id, 3, {"P1N1": P1N1}, draws=20)
    clouds = [c for c in figure.axes[0].collections if len(c.get_offsets()) == 20]
    assert len(clouds) == 2


def test_histograms_carry_measured_and_published_means():
    sets = {"a": pd.DataFrame({"instances": [1, 1, 2, 4]}), "b": pd.DataFrame({"instances": [3]})}
    published = pd.DataFrame({"instances": {"a": 2.5, "b": np.nan}})
    figure = pictures.distributions(sets, {"instances": "objects"}, published)
    texts = [[t.get_text() for t in axis.get_legend().get_texts()] for axis in figure.axes]
    assert texts == [["measured, mean 2.00", "published, mean 2.50"], ["measured, mean 3.00"]]
    assert [bar.get_height() for bar in figure.axes[0].patches] == [2, 1, 0, 1]


def test_clips_are_titled_with_their_frames_and_size(dataset):
    clips = ClipDataset(dataset, shorter_sides=(32,))
    figure = pictures.clip_films([clips[step] for step in range(3)])
    expected = ", ".join(map(str, clips[0].frame_indices))
    assert figure.axes[0].get_title("left") == f"frames {expected} at 32 x 48"
    assert [axis.get_visible() for axis in figure.axes] == [True, True, True, False]


def test_the_overlap_picture_gives_the_evaluators_iou(dataset, perfect):
    shifted = perturb.shift(perfect, right=2)
    single = dataset.subset([dataset.tracks[0].video_id])
    own = tuple(t for t in shifted if t.video_id == single.videos[0].id)
    figure = views.overlap(dataset, dataset.tracks[0], own[0])
    iou = ytvis.evaluate(single, own[:1], progress=False).videos[0].ious[0]
    titles = [axis.get_title() for axis in figure.axes]
    assert f"all frames: IoU = {np.nanmax(iou):.2f}" in titles


def test_curves_and_panels_are_titled_with_the_measured_score(dataset, perfect):
    shrunk = ytvis.evaluate(dataset, perturb.grow(perfect, -1), class_agnostic=True, progress=False)
    figure = views.precision_recall({"shrunk": shrunk})
    ap, ap50, ap75 = (f"{100 * shrunk.stats[name]:.0f}" for name in ("AP", "AP50", "AP75"))
    assert figure.axes[0].get_title() == f"shrunk\nAP {ap}, AP50 {ap50}, AP75 {ap75}"
    assert len(figure.axes[0].lines) == 10

    place = (dataset.videos[0].id, 0)
    figure = views.gallery(dataset, {"x": perfect}, pd.Series({"x": 0.5}), place, {})
    assert figure.axes[0].get_title() == "x: AP 50"
    named = {text.get_text() for text in figure.axes[0].texts}
    own = [track for track in perfect if track.video_id == place[0] and track.masks[0]]
    assert named == {f"{dataset.category_names[t.category_id]} {t.score:.2f}" for t in own}


def test_boundary_panels_carry_j_and_f(dataset):
    track = dataset.tracks[0]
    truth = track.mask(4)
    moved = np.roll(truth, 3, axis=1)
    figure = boundaries.matches(track, 4, {"same": truth, "moved": moved})
    j, f = 100 * davis.j_measure(truth, moved), 100 * davis.f_measure(truth, moved)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["same\nJ 100, F 100", f"moved\nJ {j:.0f}, F {f:.0f}"]


def test_a_loss_is_found_where_one_of_two_masks_is_gone(dataset, perfect):
    with pytest.raises(DataError):
        views.where_lost(dataset, perfect, perfect)
    pair = next(v for v in dataset.videos if len(dataset.tracks_of(v.id)) == 2)
    first = next(n for n, track in enumerate(perfect) if track.video_id == pair.id)
    video, frame = views.where_lost(dataset, perfect, perfect[:first] + perfect[first + 1 :])
    assert video == pair.id
    assert all(track.masks[frame] is not None for track in dataset.tracks_of(video))
