"""toy_sam: a mask as SAM's adapter gives it, by hand from its network; what it is used by."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import files, toy
from evis.data.boxes import touched
from evis.data.errors import DataError
from evis.foundation import stand_in, toy_sam
from evis.foundation.toy_sam import SIDE, ToySam
from evis.labels import filtering, from_boxes, videos


def frame(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("toy_sam") / "weights.safetensors"
    return stand_in.save(ToySam(width=4), path)


def test_a_mask_is_what_the_network_says_of_a_box_and_its_surroundings(file, device):
    picture, box = frame(64, 96), (30.0, 20.0, 24.0, 16.0)
    found = toy_sam.load(file, device)(picture, box)
    part = slice(16, 40), slice(24, 60)  # a quarter of its sides beyond each of them
    inside = np.zeros((64, 96), dtype=np.float32)
    inside[20:36, 30:54] = 1
    shown = np.concatenate([picture / 255, inside[..., None]], 2)[part]
    shown = torch.from_numpy(shown).permute(2, 0, 1)[None].float().to(device)
    shown = F.interpolate(shown, (SIDE, SIDE), mode="bilinear", antialias=True)
    with torch.no_grad():
        network = stand_in.load(ToySam, "toy_sam", file, device)
        logits = network(shown[:, :3], shown[:, 3])
    large = F.interpolate(logits[None], (24, 36), mode="bilinear", antialias=True)[0, 0]
    wanted = np.zeros((64, 96), dtype=bool)
    wanted[part] = (large > 0).cpu().numpy()
    assert found.dtype == bool and wanted.sum() > 0
    assert np.array_equal(found, wanted)


@settings(max_examples=25)
@given(
    st.integers(1, 90), st.integers(1, 90), st.tuples(*[st.floats(-20, 120)] * 2),
    st.tuples(*[st.floats(0, 90)] * 2), st.integers(0, 9),
)  # fmt: skip
def test_any_picture_and_box(height, width, corner, size, seed):
    torch.manual_seed(0)
    picture, box = frame(height, width, seed), (*corner, *size)
    seen = toy_sam.shown(picture, box)
    assert seen.shape == (4, SIDE, SIDE) and seen.min() >= 0 and seen.max() <= 1 + 1e-6
    assert seen[3].any(), "the box is in what is seen of its picture"
    rows, columns = toy_sam.surroundings(box, height, width)
    inner = touched(box, height, width)
    for outer, own in zip((rows, columns), inner, strict=True):
        assert outer.start <= own.start < own.stop <= outer.stop


def test_bad_prompts_are_refused(file):
    segment = toy_sam.load(file)
    for box in ((1, 2, np.nan, 4), (1, 2, -3, 4)):
        with pytest.raises(ValueError, match="a box should be x, y, width, height"):
            segment(frame(8, 8), box)
    with pytest.raises(ValueError, match="uint8"):
        segment(np.zeros((8, 8, 3)), (1, 1, 4, 4))
    with pytest.raises(DataError, match="evis train toy_sam"):
        toy_sam.load("nowhere.safetensors")


def test_labels_from_boxes_are_made_by_the_repositorys_own():
    labeller = videos.Boxes("toy_sam", tidy=True)
    assert labeller.weights == (str(stand_in.committed("toy_sam")),)
    assert files.digest(*labeller.weights)
    assert labeller.origin == "toy_sam from boxes, DOOB"
    assert videos.Tracked("toy_sam").weights == labeller.weights
    few = toy.sample("toy-ytvis19", 1)
    made = videos.make(few, labeller, progress=False)
    assert made.supervision == "box" and len(made.tracks) == len(few.tracks)


@pytest.mark.slow
def test_it_is_nearer_to_the_truth_than_what_learned_nothing():
    """On validation stills, of which it never saw one: see data/weights/README.md."""
    stills = toy.sample("toy-coco", 40, seed=1, split="valid")
    truth = {track.id: track.masks[0] for track in stills.tracks}
    means = []
    for name in ("toy_sam", "grabcut", "ellipse"):
        made = from_boxes.label(stills, videos.segmenter(name), progress=False)
        pairs = [(track.masks[0], truth[track.id]) for track in made.tracks]
        means.append(np.mean([filtering.mask_iou(*pair) for pair in pairs]))
    assert means[0] > means[1] > means[2] and means[0] > 0.8
