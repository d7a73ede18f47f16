"""SAM and SAM-HQ: transformers' own masks, each picture seen once, labels from boxes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import transformers

from evis.data import DataError
from evis.foundation import sam
from evis.labels import from_boxes

SIDE = 64
KINDS = {"sam": "Sam", "sam_hq": "SamHQ"}


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(kind, folder):
    """A small network whose masks are neither empty nor full."""
    prefix = KINDS[kind]
    shared = {"image_size": SIDE, "patch_size": 8}
    vision = {"hidden_size": 16, "output_channels": 16, "num_hidden_layers": 2, "window_size": 2}
    vision |= {"num_attention_heads": 2, "global_attn_indexes": [0, 1], "num_pos_feats": 8}
    decoder = {"hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "vit_dim": 16}
    decoder |= {"iou_head_hidden_dim": 16}
    if kind == "sam":
        del decoder["vit_dim"]
    config = getattr(transformers, f"{prefix}Config")(
        vision_config=vision | shared,
        prompt_encoder_config={"hidden_size": 16, "mask_input_channels": 4} | shared,
        mask_decoder_config=decoder,
    )
    torch.manual_seed(3)
    model = getattr(transformers, f"{prefix}Model")(config)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor += 0.2 * torch.randn(tensor.shape)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory):
    return save(request.param, tmp_path_factory.mktemp(request.param))


def network(folder):
    kind = transformers.AutoConfig.from_pretrained(folder).model_type
    return getattr(transformers, f"{KINDS[kind]}Model").from_pretrained(folder).eval()


def wanted(folder, frame, box):
    """By transformers' own steps, one after another."""
    model = network(folder)
    pictures = transformers.SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}
    )
    prefix = KINDS[model.config.model_type]
    processor = getattr(transformers, f"{prefix}Processor")(pictures)
    x, y, width, height = box
    made = processor(frame, input_boxes=[[[x, y, x + width, y + height]]], return_tensors="pt")
    sizes = made.pop("original_sizes"), made.pop("reshaped_input_sizes")
    made["input_boxes"] = made["input_boxes"].float()
    with torch.no_grad():
        masks = model(**made, multimask_output=False).pred_masks
    return processor.post_process_masks(masks, *sizes)[0][0, 0].numpy()


@pytest.mark.parametrize("shape", [(40, 60), (64, 64), (90, 30)])
def test_masks_are_transformers_own(folder, shape, device):
    segment = sam.load(folder, device=device)
    shares = []
    for box in ((3.5, 2.0, 20.0, 25.25), (0, 0, shape[1], shape[0]), (10, 20, 0, 0)):
        found = segment(picture(*shape), box)
        assert found.shape == shape and found.dtype == bool
        assert (found != wanted(folder, picture(*shape), box)).mean() < 0.002
        shares.append(found.mean())
    assert min(shares) > 0 and max(shares) < 1 and len(set(shares)) > 1


def test_a_picture_is_seen_once_for_all_its_boxes(folder, monkeypatch):
    seen = []
    encoder = type(network(folder).vision_encoder)
    forward = encoder.forward
    monkeypatch.setattr(
        encoder, "forward", lambda self, *a, **k: seen.append(1) or forward(self, *a, **k)
    )
    segment, frame = sam.load(folder), picture(40, 60)
    first = segment(frame, (1, 1, 20, 20))
    segment(frame.copy(), (5, 5, 30, 20))
    assert len(seen) == 1 and np.array_equal(segment(frame, (1, 1, 20, 20)), first)
    frame[:] = picture(40, 60, seed=1)  # a buffer that is filled anew
    assert not np.array_equal(segment(frame, (1, 1, 20, 20)), first) and len(seen) == 2


def test_threads_share_one_network(folder):
    """As those of a Dask worker do."""
    segment, frames = sam.load(folder), [picture(40, 60, seed) for seed in range(2)]
    box = 3, 3, 40, 30
    wanted = [segment(frame, box) for frame in frames]
    assert not np.array_equal(*wanted)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda frame: segment(frame, box), 60 * frames))
    assert all(np.array_equal(a, b) for a, b in zip(found, 60 * wanted, strict=True))


def test_labels_are_made_from_boxes(folder, tmp_path):
    from evis.data import toy

    dataset = toy.build("toy-davis", tmp_path / "toy", videos=1, progress=False, processes=1)
    dataset = dataset.subset([dataset.videos[0].id])
    segment = sam.load(folder)
    made = from_boxes.label(dataset, segment, progress=False)
    assert made.origin == f"{segment.__name__} from boxes" and segment.__name__ in KINDS
    assert [len(track.masks) for track in made.tracks] == [len(t.boxes) for t in dataset.tracks]
    assert any(mask for track in made.tracks for mask in track.masks)


def test_every_frame_of_a_video_is_seen_once_for_all_objects(folder, monkeypatch):
    from evis.data.types import Category, Track, Video, VISDataset

    seen, encoder = [], type(network(folder).vision_encoder)
    forward = encoder.forward
    monkeypatch.setattr(
        encoder, "forward", lambda self, *a, **k: seen.append(1) or forward(self, *a, **k)
    )
    video = Video(1, "v", 40, 60, ("0.png", "1.png", "2.png"))
    boxes = [(5.0 * n, 4.0, 20.0, 25.0) for n in range(4)]
    tracks = tuple(Track(n, 1, 1, boxes=(box,) * 3) for n, box in enumerate(boxes, start=1))
    read = lambda video, frame: picture(40, 60, frame)  # noqa: E731
    dataset = VISDataset((video,), tracks, (Category(1, "thing"),), read, "box")
    made = from_boxes.label(dataset, sam.load(folder), progress=False)
    assert len(seen) == 3, "frames, not frames times objects"
    alone = sam.load(folder)
    for track, box in zip(made.tracks, boxes, strict=True):
        found = [track.mask(t) if track.masks[t] else None for t in range(3)]
        for t, mask in enumerate(found):
            one = alone(picture(40, 60, t), box)
            assert np.array_equal(mask, one) if mask is not None else not one.any()


def test_half_precision_stays_close(folder):
    frame, box = picture(40, 60), (3, 2, 20, 25)
    precise, half = (sam.load(folder, dtype=t)(frame, box) for t in (torch.float32, torch.bfloat16))
    assert (precise != half).mean() < 0.05


def test_bad_input_is_refused(folder):
    segment = sam.load(folder)
    for box in ((0, 0, np.nan, 4), (0, 0, -1, 4)):
        with pytest.raises(ValueError, match="a box should be"):
            segment(picture(8, 8), box)
    with pytest.raises(ValueError, match="uint8"):
        segment(picture(8, 8) / 255, (0, 0, 4, 4))


def test_a_name_that_is_no_folder_says_what_is_wanted():
    said = r"nor a SAM or SAM-HQ of this name .* The folder of its weights is wanted.*hf download"
    with pytest.raises(DataError, match=f"file sam-hq: there is no such .*{said}"):
        sam.load("sam-hq")


def test_another_kind_of_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(DataError, match="is of a vit.*SamModel or SamHQModel"):
        sam.load(tmp_path)
