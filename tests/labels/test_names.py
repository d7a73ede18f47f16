"""Names of crops: Eq. 1 by hand, softmax at CLIP's temperature, and bad input."""

import numpy as np
import pytest

from evis.data import DataError
from evis.data.types import Category
from evis.labels import names


def test_the_name_is_the_most_alike_text_and_lengths_do_not_count():
    random = np.random.default_rng(0)
    images, texts = random.normal(size=(20, 6)), random.normal(size=(5, 6))
    found, scores = names.name(images, texts)
    for image, name, score in zip(images, found, scores, strict=True):
        cosines = [image @ t / np.linalg.norm(image) / np.linalg.norm(t) for t in texts]
        assert name == int(np.argmax(cosines))
        powers = [np.exp(100 * (cosine - max(cosines))) for cosine in cosines]
        assert score == pytest.approx(1 / sum(powers))
    again, same = names.name(3 * images, texts * random.uniform(0.1, 9, (5, 1)))
    assert np.array_equal(again, found)
    np.testing.assert_allclose(same, scores, rtol=1e-9)


def test_cosines_as_low_as_clips_reach_the_papers_threshold():
    """0.25 against 0.22, 0.2: as a cosine no crop would be kept at 0.7."""
    texts = np.eye(4)[:3]
    cosines = np.array([0.25, 0.22, 0.20])
    image = np.append(cosines, np.sqrt(1 - (cosines**2).sum()))
    (found,), (score,) = names.name(image[None], texts)
    assert found == 0 and score > 0.7 > cosines[0]


def test_one_name_takes_all_and_no_crop_gives_no_name():
    found, scores = names.name(np.random.default_rng(0).normal(size=(3, 4)), np.ones((1, 4)))
    assert found.tolist() == [0, 0, 0] and scores.tolist() == [1, 1, 1]
    for empty in ([], np.zeros((0, 4))):
        found, scores = names.name(empty, np.eye(4))
        assert found.shape == scores.shape == (0,)


@pytest.mark.parametrize(
    ("images", "texts", "message"),
    [
        (np.eye(4), np.zeros((0, 4)), "at least one name"),
        (np.eye(4), [], "at least one name"),
        (np.eye(4), np.eye(3), "don't fit"),
        (np.eye(4), np.zeros((2, 4)), "number 0 of the names"),
        (np.array([[1.0, 0], [np.nan, 1]]), np.eye(2), "number 1 of the crops"),
    ],
)
def test_bad_embeddings_are_refused(images, texts, message):
    with pytest.raises(DataError, match=message):
        names.name(images, texts)


def test_names_come_from_a_line_or_a_file_and_keep_known_ids(tmp_path):
    known = (Category(4, "dog"), Category(9, "fish"))
    wanted = (Category(10, "person"), Category(4, "dog"), Category(11, "giant_panda"))
    assert names.categories("person, dog,giant_panda,", known) == wanted
    listed = tmp_path / "names.txt"
    listed.write_text("person\n dog \n\ngiant_panda\n")
    assert names.categories(str(listed), known) == wanted
    assert names.categories("cat") == (Category(1, "cat"),)
    panda = (Category(3, "giant_panda"), Category(40, "zebra"))
    spelt = (Category(3, "Giant Panda"), Category(41, "dog"))
    assert names.categories("Giant Panda,dog", panda) == spelt, "one class, however it is spelt"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("", "no names are given"),
        (" , ", "no names are given"),
        ("Giant_panda,cat,giant panda", "'giant panda' is listed twice"),
        ("nowhere/names.txt", "nowhere/names.txt: can't be read as a list of names"),
        ("folder.txt", "folder.txt: can't be read as a list of names"),
        ("bytes.txt", "bytes.txt: can't be read as a list of names"),
        ("empty.txt", "no names are given"),
    ],
)
def test_bad_lists_are_refused(listed, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(DataError, match=said):
        names.categories(listed)
