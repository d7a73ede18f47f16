"""The reference implementation's checkpoints: what it calls our tensors, and what sizes they tell.

Its names are those of Mask2Former-VIS on detectron2; MinVIS, MaskFreeVIS and Eigen-Cluster VIS use
the same. Where several of our tensors get one name, they are equal parts of theirs along its first
axis, in our order.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from evis.data.errors import DataError
from evis.models.config import Backbone, ModelConfig, ResNet, Swin
from evis.models.pixel_decoder import LEVELS, POINTS

Rule = tuple[str, str | Callable[[re.Match], str]]


def _shifted(text: str, by: int) -> Callable[[re.Match], str]:
    """The text with the number that the pattern's group found, moved on by so much, for #."""
    return lambda match: text.replace("#", str(int(match[1]) + by))


# From our names to theirs, one after the other.
_RULES: list[Rule] = [
    # ResNet
    (r"^backbone\.embedder\.embedder\.", "backbone.stem.conv1."),
    (r"^backbone\.encoder\.stages\.(\d+)\.layers\.", _shifted("backbone.res#.", 2)),
    (r"\.layer\.(\d+)\.", _shifted(".conv#.", 1)),
    (r"\.convolution\.", "."),
    (r"\.normalization\.", ".norm."),
    # Swin
    (r"^backbone\.swin\.embeddings\.patch_embeddings\.projection\.", "backbone.patch_embed.proj."),
    (r"^backbone\.swin\.embeddings\.", "backbone.patch_embed."),
    (r"^backbone\.swin\.encoder\.", "backbone."),
    (r"^backbone\.hidden_states_norms\.stage(\d+)\.", _shifted("backbone.norm#.", -1)),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.[qkv]_proj\.", ".attn.qkv."),
    (r"\.attention\.o_proj\.", ".attn.proj."),
    (r"\.attention\.relative_position_bias\.", ".attn."),
    # The pixel decoder
    (r"^pixel_decoder\.", "sem_seg_head.pixel_decoder."),
    (r"\.pixel_decoder\.(level_embed|encoder)\b", r".pixel_decoder.transformer.\1"),
    (r"\.input_projections\.", ".input_proj."),
    (r"\.mask_projection\.", ".mask_features."),
    (r"\.(adapter_1|layer_1)\.0\.", r".\1."),
    (r"\.(adapter_1|layer_1)\.1\.", r".\1.norm."),
    (r"\.self_attn_layer_norm\.", ".norm1."),
    (r"\.final_layer_norm\.", ".norm2."),
    (r"(\.transformer\..*)\.fc(\d)\.", r"\1.linear\2."),
    # The video decoder
    (r"^decoder\.", "sem_seg_head.predictor."),
    (r"\.query_content$", ".query_feat.weight"),
    (r"\.query_position$", ".query_embed.weight"),
    (r"\.level_embedding$", ".level_embed.weight"),
    (r"\.predictor\.norm\.", ".predictor.decoder_norm."),
    (r"\.classify\.", ".class_embed."),
    (r"\.embed_mask\.0\.", ".mask_embed.layers.0."),
    (r"\.embed_mask\.2\.", ".mask_embed.layers.1."),
    (r"\.embed_mask\.4\.", ".mask_embed.layers.2."),
    (r"\.layers\.(\d+)\.cross_attention", r".transformer_cross_attention_layers.\1.multihead_attn"),
    (r"\.layers\.(\d+)\.cross_norm\.", r".transformer_cross_attention_layers.\1.norm."),
    (r"\.layers\.(\d+)\.self_attention\.", r".transformer_self_attention_layers.\1.self_attn."),
    (r"\.layers\.(\d+)\.self_norm\.", r".transformer_self_attention_layers.\1.norm."),
    (r"\.layers\.(\d+)\.feed_forward\.0\.", r".transformer_ffn_layers.\1.linear1."),
    (r"\.layers\.(\d+)\.feed_forward\.2\.", r".transformer_ffn_layers.\1.linear2."),
    (r"\.layers\.(\d+)\.feed_forward_norm\.", r".transformer_ffn_layers.\1.norm."),
]

# Names that wrappers (DDP, Lightning, torch.compile) and code before 2022 gave to the same tensors.
_OLDER: list[Rule] = [
    (r"^((module|model|_orig_mod)\.)+", ""),
    (r"\.static_query\.", ".query_feat."),
    (r"^sem_seg_head\.(?!pixel_decoder\.|predictor\.)", "sem_seg_head.pixel_decoder."),
    (r"^detr\.detr\.backbone\.0\.", ""),  # IDOL's
]

# Tensors of the reference that have no place here on purpose: a pattern, then the reason.
_SET_ASIDE = {
    r"backbone\..*\.relative_position_index": "follows from the window's size",
    r"backbone\..*\.attn_mask": "follows from the picture's size",
    r".*\.num_batches_tracked": "batch norms are frozen",
    r"backbone\.(stem\.fc|norm|head|swin\.layernorm)\.\w+": "belongs to ImageNet's classifier",
    r"criterion\..*": "belongs to the loss",
    r"pixel_(mean|std)": "the model brings its own, ImageNet's in RGB",
}


def theirs(ours: str) -> str:
    """The reference's name for (the tensor that holds) one of ours."""
    return renamed(ours, _RULES)


def to_ours(
    tensors: Mapping[str, Tensor],
    names: Iterable[str],
    theirs: Callable[[str], str] = theirs,
) -> dict[str, Tensor]:
    """A reference's tensors under these names of ours; what is none of ours keeps its own."""
    places: dict[str, list[str]] = {}
    for name in names:
        places.setdefault(theirs(name), []).append(name)
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        ours = places.get(name, [name])
        found |= zip(ours, torch.atleast_1d(tensor).chunk(len(ours)), strict=False)
    return found


def up_to_date(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A reference's tensors as its present code names them; of two for one name the first."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        present = renamed(name, _OLDER)
        found[name if present in found else present] = tensor
    return found


def reason_to_set_aside(theirs: str) -> str | None:
    for pattern, reason in _SET_ASIDE.items():
        if re.fullmatch(pattern, theirs):
            return reason
    return None


def renamed(name: str, rules: list[Rule]) -> str:
    """By each of the rules, one after the other."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def config_of(tensors: Mapping[str, Tensor], file: object = None) -> ModelConfig:
    """The config of Mask2Former-VIS with these tensors, under the reference's names.

    Attention's number of heads leaves no trace in the video decoder; it is the pixel decoder's, as
    in every released model.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    decoder, encoder = "sem_seg_head.predictor", "sem_seg_head.pixel_decoder.transformer.encoder"
    attention = f"{encoder}.layers.0.self_attn.attention_weights.weight"
    try:
        queries = shapes[f"{decoder}.query_feat.weight"]
        return ModelConfig(
            classes=shapes[f"{decoder}.class_embed.weight"][0] - 1,
            backbone=backbone_of(shapes),
            queries=queries[0],
            hidden=queries[-1],
            mask_channels=shapes[f"{decoder}.mask_embed.layers.2.weight"][0],
            heads=shapes[attention][0] // (LEVELS * POINTS),
            encoder_layers=count(shapes, f"{encoder}.layers"),
            encoder_feed_forward=shapes[f"{encoder}.layers.0.linear1.weight"][0],
            decoder_layers=count(shapes, f"{decoder}.transformer_ffn_layers"),
            decoder_feed_forward=shapes[f"{decoder}.transformer_ffn_layers.0.linear1.weight"][0],
        )
    except KeyError as error:
        raise DataError(
            f"the tensor {error.args[0]} is missing, without which the model's sizes are unknown",
            file=file,
            remedy="Is it a whole checkpoint of Mask2Former-VIS? A backbone alone is for "
            "load_backbone",
        ) from None


def backbone_of(shapes: Mapping[str, tuple[int, ...]]) -> Backbone:
    if "backbone.patch_embed.proj.weight" in shapes:
        stages = [f"backbone.layers.{number}.blocks" for number in range(4)]
        channels = shapes["backbone.patch_embed.proj.weight"][0]
        tables = [shapes[f"{stage}.0.attn.relative_position_bias_table"] for stage in stages]
        offsets = math.isqrt(tables[0][0])  # from -(window - 1) to window - 1
        return Swin(
            channels=channels,
            depths=tuple(count(shapes, stage) for stage in stages),
            heads=tuple(table[-1] for table in tables),
            window=(offsets + 1) // 2,
            mlp_ratio=shapes["backbone.layers.0.blocks.0.mlp.fc1.weight"][0] / channels,
        )
    stages = [f"backbone.res{number}" for number in (2, 3, 4, 5)]
    widths = tuple(shapes[f"{stage}.0.shortcut.weight"][0] for stage in stages)
    return ResNet(
        depths=tuple(count(shapes, stage) for stage in stages),
        stem=shapes["backbone.stem.conv1.weight"][0],
        widths=widths,
        reduction=widths[0] // shapes["backbone.res2.0.conv1.weight"][0],
    )


def count(shapes: Mapping[str, tuple[int, ...]], listed: str) -> int:
    """How many things are numbered behind this name."""
    found = (re.match(re.escape(listed) + r"\.(\d+)\.", name) for name in shapes)
    return 1 + max((int(match[1]) for match in found if match), default=-1)
