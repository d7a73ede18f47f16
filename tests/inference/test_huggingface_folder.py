"""`evis predict --weights FOLDER`, the folder in Hugging Face's format."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, ResNetConfig

from evis import cli
from evis.inference import weights

NAMES = ["person", "red bird", "cat"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    backbone = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[16, 32, 64, 128],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_layers=1,
        decoder_layers=2,
        num_queries=5,
        id2label=dict(enumerate(NAMES)),
    )
    folder = tmp_path_factory.mktemp("hf") / "model"
    Mask2FormerForUniversalSegmentation(config).save_pretrained(folder)
    return folder


def test_predict_names_classes_as_the_folder_does(folder, tmp_path, capsys):
    for frame in range(2):
        noise = np.random.default_rng(frame).integers(0, 256, (40, 56, 3), dtype=np.uint8)
        (tmp_path / "video").mkdir(exist_ok=True)
        Image.fromarray(noise).save(tmp_path / "video" / f"{frame}.png")
    out = tmp_path / "out"
    arguments = ["predict", tmp_path / "video", "--weights", folder, "--out", out]
    arguments += ["--threshold", 0, "--overlay", "none", "--frame-wise"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    named = set(pd.read_csv(out / "tracks.csv").category)
    assert named and named <= set(NAMES)
    assert weights.digest(folder) in (out / "made_by.json").read_text()


def test_a_folder_is_told_from_another_by_any_file_in_it(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "copy")
    before = weights.digest(folder)
    assert weights.digest(str(folder)) == before
    (folder / "preprocessor_config.json").write_text('{"size": 40}')
    assert weights.digest(folder) != before
    assert weights.load(folder).shorter_side == 40
    (folder / "preprocessor_config.json").write_text('{"size": 80}')
    assert weights.load(folder).shorter_side == 80, "not the one that was read before"
