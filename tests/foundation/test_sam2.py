"""SAM 2 through a video: transformers' own masks, frames seen once, a damaged folder refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from PIL import Image

from evis.data import DataError, toy
from evis.data.supervision import weaken
from evis.foundation import sam2
from evis.labels import from_boxes, tracking

SIDE, WIDE = 64, 128  # transformers' memory attention takes 64 channels of memory, no fewer
FILM = np.random.default_rng(0).integers(0, 256, (20, 40, 60, 3), dtype=np.uint8)
MASK = np.zeros((40, 60), dtype=bool)
MASK[10:30, 15:40] = True


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small network whose masks are neither empty nor full."""
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 2, 2],
        global_attention_blocks=[3],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=WIDE,
    )
    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": WIDE, "image_size": SIDE, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": WIDE, "mlp_dim": 32, "num_attention_heads": 2}
        | {"iou_head_hidden_dim": 16},
        image_size=SIDE,
        num_maskmem=3,
        memory_attention_hidden_size=WIDE,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=WIDE,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=WIDE,
        memory_fuser_embed_dim=WIDE,
        memory_fuser_intermediate_dim=32,
    )
    torch.manual_seed(3)
    model = transformers.Sam2VideoModel(config)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor += 0.1 * torch.randn(tensor.shape)
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(10.0)  # the object is there
    folder = tmp_path_factory.mktemp("sam2")
    model.save_pretrained(folder)
    return folder


def wanted(folder, film, mask):
    """By transformers' own session, iterator and way with prompts, the whole film in memory."""
    model = transformers.Sam2VideoModel.from_pretrained(folder).eval()
    small = [np.array(Image.fromarray(x).resize((SIDE, SIDE), Image.BILINEAR)) for x in film]
    pixels = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2) / 255
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    pixels = (pixels - mean) / deviation
    session = transformers.Sam2VideoInferenceSession(video=pixels, dtype=torch.float32)
    stand_in = type("Processor", (), {"target_size": SIDE})
    prompt = transformers.Sam2VideoProcessor.process_new_mask_for_video_frame
    prompt(stand_in, session, 0, [1], mask)
    logits = [
        step.pred_masks for step in model.propagate_in_video_iterator(session, start_frame_idx=0)
    ]
    large = F.interpolate(torch.cat(logits), mask.shape, mode="bilinear")
    return (large[1:, 0] > 0).numpy()


def test_masks_are_transformers_own(folder, device):
    carry = sam2.load(folder, device=device)(FILM.__getitem__)
    for order in (range(20), range(12, 3, -1), (4, 9)):
        found = carry(order, MASK)
        assert found.shape == (len(order) - 1, 40, 60) and found.dtype == bool
        theirs = wanted(folder, FILM[list(order)], MASK)
        assert (found != theirs).mean() < 0.002
        assert 0 < theirs.mean() < 1
    assert carry([7], MASK).shape == (0, 40, 60)


def test_what_follows_depends_on_the_mask_that_came_first(folder):
    carry = sam2.load(folder)(FILM.__getitem__)
    assert (carry(range(4), MASK) != carry(range(4), ~MASK)).any()


def test_a_frame_is_seen_once_for_all_objects_while_there_is_room(folder, monkeypatch):
    read = []

    def frame(number):
        read.append(number)
        return FILM[number]

    carry = sam2.load(folder)(frame)
    first = carry(range(5), MASK)
    assert np.array_equal(carry(range(5), MASK), first) and read == [0, 1, 2, 3, 4]
    monkeypatch.setattr(sam2, "KEPT", 2)
    read.clear()
    carry = sam2.load(folder)(frame)
    assert np.array_equal(carry(range(5), MASK), first)
    assert np.array_equal(carry(range(5), MASK), first) and read == [0, 1, 2, 3, 4, 2, 3, 4]


def test_track_masks_are_made_through_it(folder):
    dataset = toy.sample("toy-davis", 1)
    boxes = weaken(dataset.subset([dataset.videos[0].id]), "box")
    masked = from_boxes.label(boxes, from_boxes.ellipse, progress=False)
    made = tracking.label(boxes, masked, sam2.load(folder), "sam2", progress=False)
    assert made.origin == "sam2 from ellipse from boxes" and made.supervision == "box"
    assert {t.id for t in made.tracks} == {t.id for t in boxes.tracks}


def test_another_kind_of_model_and_a_folder_that_lacks_tensors_are_refused(folder, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(DataError, match="is of a sam.*Sam2VideoModel"):
        sam2.load(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(DataError, match="transformers reads no Sam2VideoModel there"):
        sam2.load(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        sam2.load("nowhere/sam2")
    with pytest.raises(ValueError, match="uint8"):
        sam2.load(folder)(lambda number: FILM[number] / 255)([0, 1], MASK)
