"""CLIP: embeddings by hand from the network, sentences averaged, crops by box, bad folders."""

import string
from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from evis.data import DataError
from evis.foundation import clip
from evis.labels import from_boxes, names
from evis.labels.looks import Looks

SIDE, WIDTH = 16, 8
START, END = "<|startoftext|>", "<|endoftext|>"
# CLIP's own statistics of colours
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tokenizer():
    """One token a letter."""
    letters = string.ascii_lowercase + ","
    tokens = [*letters, *(letter + "</w>" for letter in letters), START, END]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip")
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, "projection_dim": WIDTH}
    words = {"vocab_size": len(tokenizer()), "max_position_embeddings": 40}
    words |= {"bos_token_id": len(tokenizer()) - 2, "eos_token_id": len(tokenizer()) - 1}
    config = CLIPConfig(
        text_config=sizes | words,
        vision_config=sizes | {"image_size": SIDE, "patch_size": 8},
        projection_dim=WIDTH,
    )
    torch.manual_seed(0)
    model = CLIPModel(config)
    with torch.no_grad():
        for tensor in model.parameters():
            if tensor.dim():
                tensor += 0.1 * torch.randn(tensor.shape)
    model.save_pretrained(path)
    tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def model(folder, device):
    return clip.load(folder, device=device)


def unit(embedding):
    return embedding / np.linalg.norm(embedding, axis=-1, keepdims=True)


def test_as_plain_data_it_is_the_same(folder):
    own, looks, frames = clip.load(folder), Looks(str(folder)), [picture(9, 12), picture(20, 8)]
    assert np.array_equal(looks.images(frames), own.images(frames))
    assert np.array_equal(looks.texts(["person", "dog"]), own.texts(["person", "dog"]))
    assert (looks.scale, looks.weights) == (own.scale, (str(folder),))


def test_images_are_the_networks_own(model, device):
    frames = [picture(SIDE, SIDE, seed) for seed in range(5)]
    found = model.images(frames)
    values = (np.stack(frames) / 255 - MEAN) / DEVIATION
    given_values = torch.from_numpy(values).float().permute(0, 3, 1, 2).to(device)
    with torch.no_grad():
        vision = model.network.vision_model(given_values).pooler_output
        wanted = model.network.visual_projection(vision).cpu().numpy()
    assert found.shape == (5, WIDTH) and found.dtype == np.float32
    np.testing.assert_allclose(found, unit(wanted), atol=1e-5)


def test_pictures_of_any_size_and_number(model, monkeypatch):
    frames = [picture(*size) for size in ((40, 30), (1, 1), (3, 3), (1, 50), (90, 4), (16, 16))]
    together = model.images(frames)
    monkeypatch.setattr(clip, "BATCH", 4)
    np.testing.assert_allclose(model.images(frames), together, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    wide = np.pad(picture(SIDE, SIDE), ((0, 0), (9, 9), (0, 0)))  # its middle is what counts
    np.testing.assert_allclose(*model.images([wide, picture(SIDE, SIDE)]), atol=1e-5)


def test_texts_are_means_over_sentences(model):
    def embedded(sentence):
        letters = [
            letter + "</w>" * (i == len(word) - 1)
            for word in sentence.split()
            for i, letter in enumerate(word)
        ]
        ids = tokenizer().convert_tokens_to_ids([START, *letters, END])
        with torch.no_grad():
            given_ids = torch.tensor([ids], device=model.network.device)
            text = model.network.text_model(given_ids).last_hidden_state[:, -1]
            return unit(model.network.text_projection(text).cpu().numpy())[0]

    found = model.texts(["cat", "giant_panda"], ["one {}", "{} seen far off", "{}"])
    for name, row in zip(("cat", "giant panda"), found, strict=True):
        sentences = [f"one {name}", f"{name} seen far off", name]
        np.testing.assert_allclose(row, unit(sum(map(embedded, sentences))), atol=1e-5)


def test_templates_of_our_own(model):
    assert len(set(clip.TEMPLATES)) == len(clip.TEMPLATES) == 80, "as many as CLIP has"
    assert all(template.count("{}") == 1 for template in clip.TEMPLATES)
    longest = max(len(template.split()) for template in clip.TEMPLATES)
    assert longest < 15, "CLIP reads 77 tokens, and a name is to be among them"
    for template in clip.TEMPLATES:
        said = template.split()
        for article, word in zip(said, said[1:], strict=False):
            if article in ("a", "an"):
                assert word != "{}", f"{template}: right of one name in two"
                assert (article == "an") == (word[0] in "aeiou"), template
    found = model.texts(["cat", "dog"])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.abs(found - model.texts(["cat", "dog"], ["{}"])).max() > 1e-3


def test_a_name_longer_than_the_context_is_cut(model):
    long = "x" * 50
    assert np.array_equal(model.texts([long], ["{}"]), model.texts([long + "y"], ["{}"]))


def test_no_crop_and_no_name_are_valid(model):
    assert model.images([]).shape == model.texts([]).shape == (0, WIDTH)
    classes, scores = names.name(model.images([]), model.texts(["cat"]), model.scale)
    assert len(classes) == len(scores) == 0
    assert model.scale == pytest.approx(1 / 0.07, rel=1e-3)  # where CLIP's training starts


@given(st.tuples(*[st.floats(-30, 60)] * 2, *[st.floats(0, 70)] * 2))
def test_crops_hold_the_pixels_of_the_box(box):
    frame = picture(20, 30)
    crop = clip.crops(frame, [box])[0]
    assert np.array_equal(crop.reshape(-1, 3), frame[from_boxes.fill(frame, box)])
    assert clip.crops(frame, []) == []


def test_half_precision_stays_close(folder, model):
    half = clip.load(folder, dtype=torch.bfloat16)
    for made in (lambda m: m.images([picture(30, 40)]), lambda m: m.texts(["cat"])):
        assert made(half).dtype == np.float32
        assert (made(half) * made(model)).sum() > 0.99


def test_pictures_need_no_tokenizer_and_texts_say_what_they_lack(model, tmp_path):
    model.network.save_pretrained(tmp_path)
    without = clip.load(tmp_path)
    assert np.allclose(without.images([picture(9, 9)]), model.images([picture(9, 9)]), atol=1e-5)
    with pytest.raises(DataError, match=r"tokens for a network.*tokenizer\.json"):
        without.texts(["cat"])


def resized(model, path, tokens):
    """The same network in a folder, with rows for so many tokens."""
    config, state = deepcopy(model.network.config), model.network.state_dict()
    config.text_config.vocab_size = tokens
    name = "text_model.embeddings.token_embedding.weight"
    rows = torch.cat([state[name], torch.ones_like(state[name])])[:tokens]
    network = CLIPModel(config)
    network.load_state_dict(state | {name: rows})
    network.save_pretrained(path)
    tokenizer().save_pretrained(path)
    return clip.load(path)


def test_a_network_may_have_more_rows_than_there_are_tokens_but_not_fewer(model, tmp_path):
    more = resized(model, tmp_path / "more", len(tokenizer()) + 8)
    wanted = model.texts(["cat", "giant_panda"])
    np.testing.assert_allclose(more.texts(["cat", "giant_panda"]), wanted, atol=1e-5)
    fewer = resized(model, tmp_path / "fewer", len(tokenizer()) - 1)
    with pytest.raises(DataError, match=r"has 56 tokens for a network of 55"):
        fewer.texts(["cat"])


def test_bad_input_is_refused(model):
    for bad_names, templates in (("cat", ["{}"]), (["cat"], []), (["cat"], ["a photo"])):
        with pytest.raises(ValueError, match="names should be a list"):
            model.texts(bad_names, templates)
    with pytest.raises(ValueError, match="uint8"):
        model.images([picture(4, 4) / 255])
