"""What the reference implementation calls our tensors: rules that turn our names into theirs.

The reference's names are those of Mask2Former-VIS on detectron2; MinVIS, MaskFreeVIS and
Eigen-Cluster VIS use the same. Where several of our tensors get one name, they are equal parts of
theirs along its first axis, in our order.
"""

import re
from collections.abc import Callable
from functools import cache

Rule = tuple[str, str | Callable[[re.Match], str]]


def _shifted(text: str, by: int) -> Callable[[re.Match], str]:
    """The text with the number that the pattern's group found, moved on by so much, for #."""
    return lambda match: text.replace("#", str(int(match[1]) + by))


_RESNET: list[Rule] = [
    (r"^backbone\.embedder\.embedder\.", "backbone.stem.conv1."),
    (r"^backbone\.encoder\.stages\.(\d+)\.layers\.", _shifted("backbone.res#.", 2)),
    (r"\.layer\.(\d+)\.", _shifted(".conv#.", 1)),
    (r"\.convolution\.", "."),
    (r"\.normalization\.", ".norm."),
]

_SWIN: list[Rule] = [
    (r"^backbone\.swin\.embeddings\.patch_embeddings\.projection\.", "backbone.patch_embed.proj."),
    (r"^backbone\.swin\.embeddings\.", "backbone.patch_embed."),
    (r"^backbone\.swin\.encoder\.", "backbone."),
    (r"^backbone\.hidden_states_norms\.stage(\d+)\.", _shifted("backbone.norm#.", -1)),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.[qkv]_proj\.", ".attn.qkv."),
    (r"\.attention\.o_proj\.", ".attn.proj."),
    (r"\.attention\.relative_position_bias\.", ".attn."),
]

_PIXEL_DECODER: list[Rule] = [
    (r"^pixel_decoder\.", "sem_seg_head.pixel_decoder."),
    (r"\.pixel_decoder\.(level_embed|encoder)\b", r".pixel_decoder.transformer.\1"),
    (r"\.input_projections\.", ".input_proj."),
    (r"\.mask_projection\.", ".mask_features."),
    (r"\.(adapter_1|layer_1)\.0\.", r".\1."),
    (r"\.(adapter_1|layer_1)\.1\.", r".\1.norm."),
    (r"\.self_attn_layer_norm\.", ".norm1."),
    (r"\.final_layer_norm\.", ".norm2."),
    (r"(\.transformer\..*)\.fc(\d)\.", r"\1.linear\2."),
]

_VIDEO_DECODER: list[Rule] = [
    (r"^decoder\.", "sem_seg_head.predictor."),
    (r"\.query_content$", ".query_feat.weight"),
    (r"\.query_position$", ".query_embed.weight"),
    (r"\.level_embedding$", ".level_embed.weight"),
    (r"\.predictor\.norm\.", ".predictor.decoder_norm."),
    (r"\.classify\.", ".class_embed."),
    (r"\.embed_mask\.0\.", ".mask_embed.layers.0."),
    (r"\.embed_mask\.2\.", ".mask_embed.layers.1."),
    (r"\.embed_mask\.4\.", ".mask_embed.layers.2."),
    (
        r"\.layers\.(\d+)\.cross_attention\.",
        r".transformer_cross_attention_layers.\1.multihead_attn.",
    ),
    (r"\.layers\.(\d+)\.cross_norm\.", r".transformer_cross_attention_layers.\1.norm."),
    (r"\.layers\.(\d+)\.self_attention\.", r".transformer_self_attention_layers.\1.self_attn."),
    (r"\.layers\.(\d+)\.self_norm\.", r".transformer_self_attention_layers.\1.norm."),
    (r"\.layers\.(\d+)\.feed_forward\.0\.", r".transformer_ffn_layers.\1.linear1."),
    (r"\.layers\.(\d+)\.feed_forward\.2\.", r".transformer_ffn_layers.\1.linear2."),
    (r"\.layers\.(\d+)\.feed_forward_norm\.", r".transformer_ffn_layers.\1.norm."),
]

_BY_PART = {
    "backbone": [*_RESNET, *_SWIN],
    "pixel_decoder": _PIXEL_DECODER,
    "decoder": _VIDEO_DECODER,
}

# Names that wrappers (DDP, Lightning, torch.compile) and code before 2022 gave to the same tensors.
_OLDER: list[Rule] = [
    (r"^((module|model|_orig_mod)\.)+", ""),
    (r"\.static_query\.", ".query_feat."),
    (r"^sem_seg_head\.(?!pixel_decoder\.|predictor\.)", "sem_seg_head.pixel_decoder."),
]

# Tensors of the reference that have no place here on purpose: a pattern, then the reason.
_SET_ASIDE = {
    r"backbone\..*\.relative_position_index": "follows from the window's size",
    r"backbone\..*\.attn_mask": "follows from the picture's size",
    r".*\.num_batches_tracked": "batch norms are frozen",
    r"backbone\.(stem\.fc|norm|head)\.\w+": "belongs to ImageNet's classifier",
    r"criterion\..*": "belongs to the loss",
    r"pixel_(mean|std)": "the model brings its own, ImageNet's in RGB",
}


@cache
def theirs(ours: str) -> str:
    """The reference's name for (the tensor that holds) one of ours."""
    return _renamed(ours, _BY_PART[ours.split(".")[0]])


def today(theirs: str) -> str:
    """A name in a file of the reference as its present code has it."""
    return _renamed(theirs, _OLDER)


def reason_to_set_aside(theirs: str) -> str | None:
    for pattern, reason in _SET_ASIDE.items():
        if re.fullmatch(pattern, theirs):
            return reason
    return None


def _renamed(name: str, rules: list[Rule]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name
