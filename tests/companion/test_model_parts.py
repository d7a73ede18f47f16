"""Looks into the model show what the model does, and change nothing in it."""

import matplotlib.pyplot as plt
import pytest
import torch

from evis.companion import model_parts as parts
from evis.companion.plots import model as views
from evis.data import toy
from evis.data.clips import cut
from evis.models import VideoMask2Former, named, video_decoder


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return VideoMask2Former(named("tiny_s", classes=2)).eval()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    dataset = toy.build("toy-ytvis19", tmp_path_factory.mktemp("toy") / "set", 1, progress=False)
    return cut(dataset, dataset.videos[0].id, range(4))


@pytest.fixture(scope="module")
def seen(model, clip):
    return parts.see(model, clip.frames[None])


@pytest.fixture(scope="module")
def prediction(model, clip):
    with torch.no_grad():
        return model(clip.frames[None])


@torch.no_grad()
def test_the_parts_give_what_the_model_gives(model, clip, seen, prediction):
    found = model.decoder(seen.features, seen.pixels)
    torch.testing.assert_close(found.mask_logits, prediction.mask_logits)
    alone = seen.each_frame()
    found = model.decoder(alone.features, alone.pixels)
    torch.testing.assert_close(found.mask_logits[2:3], model(clip.frames[None, 2:3]).mask_logits)


@torch.no_grad()
def test_recording_changes_nothing_and_ends(model, clip, prediction):
    with parts.attention(model.decoder, need_weights=True, average_attn_weights=False) as runs:
        found = model(clip.frames[None])
    torch.testing.assert_close(found.mask_logits, prediction.mask_logits, rtol=1e-3, atol=1e-4)
    assert [tuple(weights.shape) for _, weights in runs] == [
        (1, 4, 10, 4 * pixels) for pixels in (4 * 6, 8 * 12, 16 * 24)
    ]
    assert torch.equal(model(clip.frames[None]).mask_logits, prediction.mask_logits)
    assert len(runs) == 3
    with pytest.raises(RuntimeError), parts.attention(model.decoder):
        model(torch.zeros(1, 1, 3, 64, 96, device="meta"))
    assert torch.equal(model(clip.frames[None]).mask_logits, prediction.mask_logits)


def test_a_query_reads_inside_its_mask_only(model, seen, prediction):
    masks = [*(layer.mask_logits for layer in prediction.layers), prediction.mask_logits]
    narrowed = 0
    for query in range(10):
        looks = parts.follow(model.decoder, seen, query)
        for number, look in enumerate(looks):
            assert float(look.weights.sum()) == pytest.approx(1, abs=1e-4)
            assert look.open.all() or look.weights[~look.open].max() == 0
            narrowed += not look.open.all()
            torch.testing.assert_close(look.mask, masks[number + 1][0, query], rtol=1e-3, atol=1e-4)
            small = torch.nn.functional.interpolate(
                masks[number][0, query][:, None], look.open.shape[1:], mode="bilinear"
            )[:, 0]
            assert look.open.all() or torch.equal(look.open, small >= 0)
    assert narrowed > 10


@torch.no_grad()
def test_opened_attention_has_no_masks(model, clip, prediction, monkeypatch):
    with parts.attention(model.decoder, attn_mask=None):
        found = model(clip.frames[None])
    assert torch.equal(model(clip.frames[None]).mask_logits, prediction.mask_logits)

    monkeypatch.setattr(video_decoder, "elsewhere", lambda logits: logits < -torch.inf)
    expected = model(clip.frames[None]).mask_logits
    torch.testing.assert_close(found.mask_logits, expected, rtol=1e-3, atol=1e-4)
    assert (expected - prediction.mask_logits).abs().max() > 0.01


@torch.no_grad()
def test_the_first_frames_are_a_clip_of_their_own(model, clip, seen):
    first = seen.first(2)
    assert [m.shape[1] for m in (*first.maps, *first.features, first.pixels)] == [2] * 8
    expected = model(clip.frames[None, :2]).mask_logits
    torch.testing.assert_close(model.decoder(first.features, first.pixels).mask_logits, expected)


def test_pixels_of_like_features_have_like_colours():
    features = torch.randn(2, 5, 6, 8, generator=torch.Generator().manual_seed(0)) * 0.01
    features[..., :4] += torch.tensor([3.0, 0, 0, 1, 0])[:, None, None]
    colours = parts.as_colours(features)
    assert colours.shape == (2, 6, 8, 3) and colours.min() == 0 and colours.max() == 1
    first = colours[..., 0]
    assert abs(first[..., :4].mean() - first[..., 4:].mean()) > 0.9
    assert first[..., :4].std() < 0.05


def test_a_query_is_shown_layer_by_layer(clip, model, seen, prediction):
    looks = parts.follow(model.decoder, seen, 3)
    learned = prediction.layers[0].mask_logits[0, 3]
    figure = views.layer_by_layer(clip, learned, looks, (0, 2), (255, 0, 0))
    assert len(figure.axes) == 4 * 6
    read, of_frame = figure.axes[6 + 3].images[0].get_array(), looks[0].weights[2]
    assert read.sum(-1).argmax() == of_frame.argmax()
