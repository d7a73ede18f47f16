"""Notebook 05's looks into the model show what the model does, and change nothing in it."""

import matplotlib.pyplot as plt
import pytest
import torch

from evis.companion.plots import attention, network, queries
from evis.data import toy
from evis.data.clip_prediction import ClipPrediction
from evis.models import VideoMask2Former, named, video_decoder

NAMES = ("disc", "square")


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
    return network.cut(dataset, dataset.videos[0].id, count=4)


@pytest.fixture(scope="module")
def seen(model, clip):
    return network.see(model, clip.frames)


@pytest.fixture(scope="module")
def prediction(model, clip):
    with torch.no_grad():
        return model(clip.frames)


def test_a_clip_is_the_first_frames(clip):
    assert clip.frames.shape == (1, 4, 3, 64, 96) and clip.truth.shape[1:] == (4, 64, 96)
    assert (clip.picture(2) == clip.frames[0, 2].permute(1, 2, 0).numpy()).all()


@torch.no_grad()
def test_the_parts_give_what_the_model_gives(model, clip, seen, prediction):
    found = model.decoder(seen.features, seen.pixels)
    torch.testing.assert_close(found.mask_logits, prediction.mask_logits)
    alone = seen.each_frame()
    found = model.decoder(alone.features, alone.pixels)
    torch.testing.assert_close(found.mask_logits[2:3], model(clip.frames[:, 2:3]).mask_logits)


@torch.no_grad()
def test_recording_changes_nothing_and_ends(model, clip, prediction):
    with attention.recorded(model.decoder) as weights:
        found = model(clip.frames)
    torch.testing.assert_close(found.mask_logits, prediction.mask_logits, rtol=1e-3, atol=1e-4)
    assert [tuple(w.shape) for w in weights] == [
        (1, 4, 10, 4 * pixels) for pixels in (4 * 6, 8 * 12, 16 * 24)
    ]
    assert torch.equal(model(clip.frames).mask_logits, prediction.mask_logits)
    assert len(weights) == 3
    with pytest.raises(RuntimeError), attention.recorded(model.decoder):
        model(torch.zeros(1, 1, 3, 64, 96, device="meta"))
    assert torch.equal(model(clip.frames).mask_logits, prediction.mask_logits)


def test_a_query_reads_inside_its_mask_only(model, seen, prediction):
    masks = [*(layer.mask_logits for layer in prediction.layers), prediction.mask_logits]
    narrowed = 0
    for query in range(10):
        looks = attention.follow(model.decoder, seen, query)
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
    with attention.opened(model.decoder):
        found = model(clip.frames)
    assert torch.equal(model(clip.frames).mask_logits, prediction.mask_logits)

    def nowhere(mask_logits, size):
        batch, number, frames = mask_logits.shape[:3]
        return torch.zeros(batch, number, frames * size[0] * size[1], dtype=torch.bool)

    monkeypatch.setattr(video_decoder, "elsewhere", nowhere)
    expected = model(clip.frames).mask_logits
    torch.testing.assert_close(found.mask_logits, expected, rtol=1e-3, atol=1e-4)
    assert (expected - prediction.mask_logits).abs().max() > 0.01


def test_track_ious_by_hand():
    truth = torch.zeros(1, 2, 8, 8, dtype=torch.bool)
    truth[0, 0, :, :4] = True  # 32 pixels, in the first frame only
    logits = torch.full((3, 2, 8, 8), -9.0)
    logits[0, 0, :, :4] = 9
    logits[1, :, :, :4] = 9  # twice as many
    assert queries.track_ious(logits, truth).tolist() == [[1, 0.5, 0]]
    unsure = torch.tensor([[[0.0, 0.0], [9.0, 0.0], [9.0, 0.0]]])  # class, no object
    score, query = queries.best(ClipPrediction(unsure, logits[None]), truth)
    assert score.tolist() == [pytest.approx(0.5, abs=1e-3)] and query.tolist() == [0]


def test_a_querys_masks_go_on_beyond_its_clip(model, clip, seen):
    found = queries.longer_and_longer(model, seen, clip.truth[0], (1, 4))
    for length, (query, masks) in found.items():
        with torch.no_grad():
            own = model(clip.frames[:, :length]).mask_logits[0, query]
        assert masks.shape == (4, 32, 48)
        torch.testing.assert_close(masks[:length], own, rtol=1e-3, atol=1e-4)


def test_every_way_gives_tracks(model, clip, seen, prediction, monkeypatch):
    crossed = torch.arange(10).repeat(4, 1)
    crossed[2:] = crossed[2:].flip(1)  # from frame 2 on the queries change places
    monkeypatch.setattr(queries.minvis, "link", lambda embeddings: crossed)
    tracks = queries.in_every_way(model, seen)
    assert tuple(tracks) == queries.WAYS
    torch.testing.assert_close(tracks["whole clip"], prediction.mask_logits[0])
    linked, unlinked = tracks["each frame, linked"], tracks["each frame, unlinked"]
    assert torch.equal(linked[:, :2], unlinked[:, :2])
    assert torch.equal(linked[:, 2:], unlinked[:, 2:].flip(0))
    table = queries.compare(model, {7: clip})
    assert len(table) == 4 * len(clip.truth) and set(table.video) == {7}
    expected = queries.track_ious(linked, clip.truth).amax(1)
    measured = table[table.way == "each frame, linked"].sort_values("object").IoU
    assert measured.tolist() == pytest.approx(expected.tolist())


def test_costs_are_those_of_the_modules(model):
    table = network.costs(model.config, 2, (64, 96))
    parts = model.backbone, model.pixel_decoder, model.decoder
    assert table.parameters.tolist() == [sum(p.numel() for p in m.parameters()) for m in parts]
    # The first stage: 3 -> 16 channels, then two convolutions of 16, at 32 x 48; and so on.
    macs, before = 0, 3
    for width, pixels in zip((16, 32, 48, 64), (32 * 48, 16 * 24, 8 * 12, 4 * 6), strict=True):
        macs += 2 * pixels * 9 * (before * width + 2 * width * width)
        before = width
    assert table["multiply-adds"]["backbone"] == macs
    # The decoder, width 32, 10 queries: attention to pixels and queries, feed forward, heads.
    layers = sum(
        (2 * 10 * 32 * 32 + 2 * n * 32 * 32 + 2 * 10 * n * 32)
        + (4 * 10 * 32 * 32 + 2 * 10 * 10 * 32)
        + 2 * 10 * 32 * 256
        for n in (2 * 4 * 6, 2 * 8 * 12, 2 * 16 * 24)
    )
    heads = 4 * (10 * 32 * 3 + 3 * 10 * 32 * 32 + 10 * 32 * 2 * 32 * 48)
    assert table["multiply-adds"]["video decoder"] == layers + heads


def test_attentions_memory_is_that_of_the_weights(model, clip):
    with torch.no_grad(), attention.recorded(model.decoder) as weights:
        model(clip.frames)
    assert network.attention_bytes(model.config, 4, (64, 96))[0] == weights[-1].nbytes


def test_pixels_of_like_features_have_like_colours():
    features = torch.randn(2, 5, 6, 8, generator=torch.Generator().manual_seed(0)) * 0.01
    features[..., :4] += torch.tensor([3.0, 0, 0, 1, 0])[:, None, None]
    colours = network.as_colours(features)
    assert colours.shape == (2, 6, 8, 3) and colours.min() == 0 and colours.max() == 1
    first = colours[..., 0]
    assert abs(first[..., :4].mean() - first[..., 4:].mean()) > 0.9
    assert first[..., :4].std() < 0.05


def test_the_pipeline_shows_real_shapes(model, clip):
    figure = network.pipeline(clip, model)
    texts = [text.get_text() for text in figure.axes[0].texts]
    for shape in ("4 x 3 x 64 x 96", "4 x 48 x 8 x 12", "4 x 32 x 4 x 6", "10 x 4 x 32 x 48"):
        assert shape in texts
    assert "10 x 3" in texts and "10 learned queries" in texts


def test_class_maps_show_probabilities(prediction):
    figure = queries.class_maps(prediction, NAMES)
    panels = figure.axes[:4]
    assert panels[0].get_title() == "learned queries" and panels[3].get_title() == "after layer 3"
    shown = torch.from_numpy(panels[3].images[0].get_array().filled())
    torch.testing.assert_close(shown, prediction.class_logits[0].softmax(-1))


def test_queries_are_named_by_their_likeliest_class():
    logits = torch.tensor([[0.0, 3.0, 0.0], [0.0, 0.0, 9.0]])
    assert queries.likeliest(logits, NAMES) == ["0: square 0.91", "1: no object 1.00"]


def test_a_place_is_most_like_itself():
    figure = attention.positions(3, (8, 12), 32, place=(1, 2, 5))
    rows = [axis for axis in figure.axes[:9]]
    likeness = [axis.images[0].get_array() for axis in rows[6:]]
    assert likeness[1].argmax() == 2 * 12 + 5 and likeness[1].max() == pytest.approx(1)
    assert max(likeness[0].max(), likeness[2].max()) < 1
