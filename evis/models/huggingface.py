"""Folders in Hugging Face's Mask2Former format: a model for pictures, read as one for video.

transformers itself reads the tensors, since it knows the names that each of its versions wrote. Of
a single frame the model says what transformers' says: its decoder adds a code of time to the keys
that queries are compared with, but one that all keys share leaves their softmax as it is.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evis.data import jsonfile, torch_files
from evis.data.errors import DataError
from evis.data.quiet import quiet_transformers
from evis.models.config import Backbone, ModelConfig, ResNet, Swin
from evis.models.video_mask2former import DEVIATION, MEAN, VideoMask2Former

_CONFIG, _PREPROCESSOR = "config.json", "preprocessor_config.json"
_WEIGHTS = ".safetensors", ".bin"
_SMALL = 2**28  # bytes that a model may take whatever its files hold
_STAGES = ["stage1", "stage2", "stage3", "stage4"]

# What the model here can't be told to do otherwise: settings and their only value.
_SETTINGS = {
    "mask2former": {
        "activation_function": "relu",
        "pre_norm": False,
        "enforce_input_projection": False,
        "common_stride": 4,
    },
    "resnet": {
        "out_features": _STAGES,
        "layer_type": "bottleneck",
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
        "num_channels": 3,
    },
    "swin": {
        "out_features": _STAGES,
        "patch_size": 4,
        "qkv_bias": True,
        "hidden_act": "gelu",
        "use_absolute_embeddings": False,
        "layer_norm_eps": 1e-5,
        "num_channels": 3,
    },
}

# From their names to ours, one after the other.
_RULES = [
    (r"^model\.pixel_level_module\.encoder\.", "backbone."),
    (r"^model\.pixel_level_module\.decoder\.", "pixel_decoder."),
    (r"^class_predictor\.", "decoder.classify."),
    (r"^model\.transformer_module\.queries_features\.weight$", "decoder.query_content"),
    (r"^model\.transformer_module\.queries_embedder\.weight$", "decoder.query_position"),
    (r"^model\.transformer_module\.level_embed\.weight$", "decoder.level_embedding"),
    (r"^model\.transformer_module\.decoder\.", "decoder."),
    (r"^decoder\.layernorm\.", "decoder.norm."),
    (r"^decoder\.mask_predictor\.mask_embedder\.0\.0\.", "decoder.embed_mask.0."),
    (r"^decoder\.mask_predictor\.mask_embedder\.1\.0\.", "decoder.embed_mask.2."),
    (r"^decoder\.mask_predictor\.mask_embedder\.2\.0\.", "decoder.embed_mask.4."),
    (r"^(decoder\.layers\.\d+)\.(self|cross)_attn\.", r"\1.\2_attention."),
    (r"^(decoder\.layers\.\d+)\.(self|cross)_attn_layer_norm\.", r"\1.\2_norm."),
    (r"^(decoder\.layers\.\d+)\.fc1\.", r"\1.feed_forward.0."),
    (r"^(decoder\.layers\.\d+)\.fc2\.", r"\1.feed_forward.2."),
    (r"^(decoder\.layers\.\d+)\.final_layer_norm\.", r"\1.feed_forward_norm."),
]


def read(folder: Path) -> tuple[dict[str, Tensor], ModelConfig, dict[str, Any]]:
    """The folder's tensors under our names, the sizes of its model, and what `about` tells.

    What its files lack is left out, what they hold besides stays under its name.
    """
    from transformers import Mask2FormerForUniversalSegmentation

    settings = _settings(folder)
    try:
        config = _config_of(settings)
        with torch.device("meta"):
            asked = 4 * sum(part.numel() for part in VideoMask2Former(config).parameters())
    except Exception as error:  # sizes that don't go together can fail anywhere
        raise _unfit(folder, f"{error}") from None
    held = sum(file.stat().st_size for file in folder.glob("*") if file.suffix in _WEIGHTS)
    if asked > max(_SMALL, 4 * held):  # transformers makes all that a config asks for
        said = f"asks for {asked:,} bytes of weights, and the files beside it hold {held:,}"
        raise _unfit(folder, said)
    try:
        with quiet_transformers():
            model, found = Mask2FormerForUniversalSegmentation.from_pretrained(
                folder,
                config=settings,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except Exception as error:  # a damaged file can fail anywhere
        raise _unreadable(folder, error) from error
    tensors = dict(model.state_dict())
    for name in found["missing_keys"]:
        del tensors[name]
    tensors |= {name: torch.zeros(shape) for name, shape, _ in found["mismatched_keys"]}
    tensors |= {name: torch.zeros(0) for name in found["unexpected_keys"]}
    return _to_ours(torch_files.tensors_of(tensors, folder)), config, about(folder)


def about(folder: Path) -> dict[str, Any]:
    """The names of its classes, in order, and the size of the pictures it was trained for."""
    names = _settings(folder).id2label
    wrong = [name for name in names.values() if not jsonfile.is_text(name)]
    if not names or wrong or sorted(names) != list(range(len(names))):
        problem = "id2label should give a name to each class, counted from 0"
        raise DataError(problem, file=folder / _CONFIG, remedy="Add the names of its classes")
    pictures_alone = {"mixture": [["stills", 1.0]], "still_frames": 1}
    told: dict[str, Any] = {"categories": [names[number] for number in range(len(names))]}
    told["recipe"] = pictures_alone
    if not (folder / _PREPROCESSOR).is_file():
        return told
    pictures = jsonfile.Record(jsonfile.load(folder / _PREPROCESSOR), file=folder, path="")
    for key, ours in (("image_mean", MEAN), ("image_std", DEVIATION)):
        wanted = [value / 255 for value in ours]
        if pictures.has(key):
            theirs = pictures.checked(key, _are_colours, "three numbers")
            if max(abs(a - b) for a, b in zip(theirs, wanted, strict=True)) > 1e-3:
                raise pictures.error(f"is {theirs}; evis normalises by ImageNet's, {wanted}", key)
    size = pictures.value.get("size")
    sides = list(size.values()) if isinstance(size, Mapping) else [size]
    if sides and all(isinstance(side, int) and side > 0 for side in sides):
        told["recipe"] = pictures_alone | {"shorter_sides": [min(sides)]}
    return told


def _are_colours(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(jsonfile.is_number, value))


def _settings(folder: Path):
    """Its config, a `Mask2FormerConfig`, where nothing in it asks for another network than ours."""
    from transformers import Mask2FormerConfig

    file = folder / _CONFIG
    if not file.is_file():
        remedy = "Give a file of weights, or a folder in Hugging Face's format"
        raise DataError(f"is a directory without {_CONFIG}", file=folder, remedy=remedy)
    record = jsonfile.Record(jsonfile.load(file), file=file, path="")
    if record.text("model_type") != "mask2former":
        said = f"is of a {record.text('model_type')}, not of a mask2former"
        raise record.error(said, remedy="Of Hugging Face's models, evis reads Mask2Former's alone")
    try:
        with quiet_transformers():
            settings = Mask2FormerConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers checks values in many ways
        raise _unreadable(file, error) from error
    backbone = settings.backbone_config
    if backbone.model_type not in ("resnet", "swin"):
        remedy = "evis reads those with a ResNet or a Swin in transformers' own code"
        raise record.error(f"is a {backbone.model_type}", "backbone_config", remedy=remedy)
    for part in (settings, backbone):
        for name, ours in _SETTINGS[part.model_type].items():
            if getattr(part, name) != ours:
                problem = f"is {getattr(part, name)!r}, evis knows {ours!r} only"
                raise record.error(problem, f"{part.model_type}.{name}")
    if settings.feature_size != settings.hidden_dim:
        problem = f"is {settings.feature_size}, another width than hidden_dim's"
        raise record.error(problem, "feature_size", remedy="evis has one width for both")
    return settings


def _config_of(settings) -> ModelConfig:
    return ModelConfig(
        classes=len(settings.id2label),
        backbone=_backbone(settings.backbone_config),
        queries=settings.num_queries,
        hidden=settings.hidden_dim,
        mask_channels=settings.mask_feature_size,
        heads=settings.num_attention_heads,
        encoder_layers=settings.encoder_layers,
        encoder_feed_forward=settings.encoder_feedforward_dim,
        decoder_layers=settings.decoder_layers - 1,  # theirs counts what queries say at first
        decoder_feed_forward=settings.dim_feedforward,
    )


def _backbone(settings) -> Backbone:
    if settings.model_type == "resnet":
        return ResNet(
            depths=tuple(settings.depths),
            stem=settings.embedding_size,
            widths=tuple(settings.hidden_sizes),
        )
    return Swin(
        channels=settings.embed_dim,
        depths=tuple(settings.depths),
        heads=tuple(settings.num_heads),
        window=settings.window_size,
        mlp_ratio=settings.mlp_ratio,
        drop_path=settings.drop_path_rate,
    )


def _to_ours(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Under our names; self-attention's queries, keys and values are one tensor here."""
    ours: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        for pattern, replacement in _RULES:
            name = re.sub(pattern, replacement, name)
        ours[name] = tensor
    for name in [name for name in ours if re.search(r"self_attention\.q_proj\.", name)]:
        parts = [name.replace("q_proj", f"{letter}_proj") for letter in "qkv"]
        if all(part in ours for part in parts):
            joined = torch.cat([ours.pop(part) for part in parts])
            ours[name.replace("q_proj.", "in_proj_")] = joined
    return ours


def _unfit(folder: Path, said: str) -> DataError:
    return DataError(said, file=folder / _CONFIG, remedy="Copy or download it again")


def _unreadable(file: Path, error: Exception) -> DataError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    again = "Is it whole? Copy or download it again"
    return DataError(f"transformers cannot read it ({said})", file=file, remedy=again)
