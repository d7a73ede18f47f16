"""toy_clip: embeddings by hand from its encoders, sentences averaged, words it doesn't know."""

import hashlib

import numpy as np
import pytest
import torch

from evis.foundation import clip, stand_in, toy_clip
from evis.foundation.toy_clip import SIDE, ToyClip, ToyClipNetwork, words
from evis.labels import names

KNOWN = ["a", "big", "of", "one", "panda", "picture", "star", "tree"]


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def model(device):
    torch.manual_seed(0)
    return ToyClip(ToyClipNetwork(KNOWN, width=4, channels=8).eval().to(device))


def unit(embedding):
    return embedding / np.linalg.norm(embedding, axis=-1, keepdims=True)


def test_images_are_the_networks_own(model, device):
    frames = [picture(SIDE, SIDE, seed) for seed in range(3)]
    given = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float().to(device) / 255
    with torch.no_grad():
        wanted = model.network.images(given).cpu().numpy()
    found = model.images(frames)
    assert found.shape == (3, 8) and found.dtype == np.float32
    np.testing.assert_allclose(found, unit(wanted), atol=1e-5)


def test_pictures_of_any_size_and_number(model, monkeypatch):
    frames = [picture(*size) for size in ((40, 30), (1, 1), (3, 3), (1, 50), (90, 4))]
    together = model.images(frames)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    monkeypatch.setattr(toy_clip, "BATCH", 2)
    np.testing.assert_allclose(model.images(frames), together, atol=1e-5)
    assert model.images([]).shape == model.texts([]).shape == (0, 8)


def test_the_whole_crop_counts(model):
    wide = picture(20, 60)
    changed = wide.copy()
    changed[:, :10] = 0
    assert np.abs(model.images([wide]) - model.images([changed])).max() > 1e-3


def test_texts_are_means_over_sentences(model, device):
    def embedded(sentence):
        with torch.no_grad():
            text = model.network.texts(model.network.numbered([sentence])).cpu().numpy()
        return unit(text)[0]

    found = model.texts(["star", "giant_panda"], ["one {}", "a picture of one big {}", "{}"])
    for name, row in zip(("star", "giant panda"), found, strict=True):
        sentences = [f"one {name}", f"a picture of one big {name}", name]
        np.testing.assert_allclose(row, unit(sum(map(embedded, sentences))), atol=1e-5)


def test_longer_sentences_beside_it_change_none(model):
    network = model.network
    with torch.no_grad():
        alone = network.texts(network.numbered(["one star"]))
        beside = network.texts(network.numbered(["one star", "a picture of one big big tree"]))
    assert torch.allclose(alone[0], beside[0], atol=1e-6)
    assert not torch.allclose(alone[0], beside[1], atol=1e-3)


def test_the_order_of_words_counts(model):
    one, other = model.texts(["big star", "star big"], ["{}"])
    assert np.abs(one - other).max() > 1e-4


def test_words_that_it_does_not_know_are_one_word(model):
    texts = model.texts(["crescent", "arrow", "star", "Star", "..."], ["one {}"])
    assert np.array_equal(texts[0], texts[1]) and np.array_equal(texts[2], texts[3])
    assert np.abs(texts[0] - texts[2]).max() > 1e-3 and np.isfinite(texts).all()
    assert model.knows("giant_panda") and not model.knows("crescent")
    assert words("Giant_panda, 2") == ["giant", "panda", "2"]
    long = "star " * 40
    assert np.array_equal(model.texts([long], ["{}"]), model.texts([long + "tree"], ["{}"]))


def test_half_precision_and_files(model, tmp_path, device):
    path = stand_in.save(model.network, tmp_path / "w.safetensors")
    again = toy_clip.load(path, device)
    assert np.array_equal(again.texts(["star"]), model.texts(["star"]))
    half = toy_clip.load(path, device, torch.bfloat16)
    for made in (lambda m: m.images([picture(30, 40)]), lambda m: m.texts(["star"])):
        assert made(half).dtype == np.float32 and (made(half) * made(model)).sum() > 0.99
    assert model.scale == pytest.approx(1 / 0.07, rel=1e-3)


def test_it_names_as_clip_does(model):
    called, scores = names.name(model.images([picture(9, 9)]), model.texts(KNOWN), model.scale)
    assert called.shape == scores.shape == (1,) and 1 / len(KNOWN) < scores[0] <= 1


def test_bad_input_is_refused(model):
    for bad_names, templates in (("cat", ["{}"]), (["cat"], []), (["cat"], ["a photo"])):
        with pytest.raises(ValueError, match="names should be a list"):
            model.texts(bad_names, templates)
    with pytest.raises(ValueError, match="uint8"):
        model.images([picture(4, 4) / 255])


def test_its_sentences_are_those_that_it_learned_and_stay_as_they_were():
    own = toy_clip.load()
    said = {word for template in toy_clip.TEMPLATES for word in words(template)}
    assert len(toy_clip.TEMPLATES) == 18 and all(own.knows(word) for word in said)
    digest = hashlib.sha256("\n".join(toy_clip.TEMPLATES).encode()).hexdigest()
    assert digest.startswith("2c0ec450e38210f5"), "stored rows were named by these"
    assert not all(own.knows(word) for t in clip.TEMPLATES for word in words(t)), "CLIP's are more"
    assert np.array_equal(own.texts(["star"]), own.texts(["star"], toy_clip.TEMPLATES))
    assert not np.array_equal(own.texts(["star"]), own.texts(["star"], clip.TEMPLATES))


@pytest.mark.slow
def test_the_repositorys_own_names_coloured_shapes():
    """Each shape in the hue that toy objects of its class wear, large, over grey."""
    from evis.companion import stand_ins

    found = stand_ins.name_scores(stand_ins.held_out("toy-coco", 300), toy_clip.load())
    assert found["accuracy"] > 2 * found["most frequent class"]
