"""What a tensor of the reference implementation is called here: one table, read in both ways.

The reference's names are those of Mask2Former-VIS on detectron2; MinVIS, MaskFreeVIS and
Eigen-Cluster VIS use the same. In a name `{i}` stands for a number, `{i+2}` for that number plus
two, and a longer word, as in `{leaf}`, for a part without dots. A row gives the reference's name,
then ours. Where it gives several of ours, they are equal parts of the tensor along its first axis.
"""

import re
from functools import cache

Row = tuple[str, ...]


def _inside(theirs: str, ours: str, *rows: Row) -> list[Row]:
    """Rows whose names all begin alike."""
    return [(theirs + row[0], *(ours + name for name in row[1:])) for row in rows]


_RESNET = [
    *_inside(
        "backbone.stem.conv1.",
        "backbone.embedder.embedder.",
        ("weight", "convolution.weight"),
        ("norm.{leaf}", "normalization.{leaf}"),
    ),
    *_inside(
        "backbone.res{i+2}.{j}.",
        "backbone.encoder.stages.{i}.layers.{j}.",
        ("conv{k+1}.weight", "layer.{k}.convolution.weight"),
        ("conv{k+1}.norm.{leaf}", "layer.{k}.normalization.{leaf}"),
        ("shortcut.weight", "shortcut.convolution.weight"),
        ("shortcut.norm.{leaf}", "shortcut.normalization.{leaf}"),
    ),
]

_SWIN = [
    *_inside(
        "backbone.patch_embed.",
        "backbone.swin.embeddings.",
        ("proj.{leaf}", "patch_embeddings.projection.{leaf}"),
        ("norm.{leaf}", "norm.{leaf}"),
    ),
    *_inside(
        "backbone.layers.{i}.blocks.{j}.",
        "backbone.swin.encoder.layers.{i}.blocks.{j}.",
        ("norm1.{leaf}", "layernorm_before.{leaf}"),
        (
            "attn.qkv.{leaf}",
            "attention.q_proj.{leaf}",
            "attention.k_proj.{leaf}",
            "attention.v_proj.{leaf}",
        ),
        (
            "attn.relative_position_bias_table",
            "attention.relative_position_bias.relative_position_bias_table",
        ),
        ("attn.proj.{leaf}", "attention.o_proj.{leaf}"),
        ("norm2.{leaf}", "layernorm_after.{leaf}"),
        ("mlp.fc{k}.{leaf}", "mlp.fc{k}.{leaf}"),
    ),
    *_inside(
        "backbone.layers.{i}.downsample.",
        "backbone.swin.encoder.layers.{i}.downsample.",
        ("reduction.weight", "reduction.weight"),
        ("norm.{leaf}", "norm.{leaf}"),
    ),
    ("backbone.norm{i}.{leaf}", "backbone.hidden_states_norms.stage{i+1}.{leaf}"),
]

_PIXEL_DECODER = [
    ("input_proj.{i}.{j}.{leaf}", "input_projections.{i}.{j}.{leaf}"),
    ("transformer.level_embed", "level_embed"),
    *_inside(
        "transformer.encoder.layers.{i}.",
        "encoder.layers.{i}.",
        ("self_attn.{part}.{leaf}", "self_attn.{part}.{leaf}"),
        ("norm1.{leaf}", "self_attn_layer_norm.{leaf}"),
        ("linear{k}.{leaf}", "fc{k}.{leaf}"),
        ("norm2.{leaf}", "final_layer_norm.{leaf}"),
    ),
    ("mask_features.{leaf}", "mask_projection.{leaf}"),
    ("adapter_1.weight", "adapter_1.0.weight"),
    ("adapter_1.norm.{leaf}", "adapter_1.1.{leaf}"),
    ("layer_1.weight", "layer_1.0.weight"),
    ("layer_1.norm.{leaf}", "layer_1.1.{leaf}"),
]

_VIDEO_DECODER = [
    ("query_feat.weight", "query_content"),
    ("static_query.weight", "query_content"),  # its name before 2022
    ("query_embed.weight", "query_position"),
    ("level_embed.weight", "level_embedding"),
    *_inside(
        "transformer_cross_attention_layers.{i}.",
        "layers.{i}.",
        ("multihead_attn.{leaf}", "cross_attention.{leaf}"),
        ("multihead_attn.out_proj.{leaf}", "cross_attention.out_proj.{leaf}"),
        ("norm.{leaf}", "cross_norm.{leaf}"),
    ),
    *_inside(
        "transformer_self_attention_layers.{i}.",
        "layers.{i}.",
        ("self_attn.{leaf}", "self_attention.{leaf}"),
        ("self_attn.out_proj.{leaf}", "self_attention.out_proj.{leaf}"),
        ("norm.{leaf}", "self_norm.{leaf}"),
    ),
    *_inside(
        "transformer_ffn_layers.{i}.",
        "layers.{i}.",
        ("linear1.{leaf}", "feed_forward.0.{leaf}"),
        ("linear2.{leaf}", "feed_forward.2.{leaf}"),
        ("norm.{leaf}", "feed_forward_norm.{leaf}"),
    ),
    ("decoder_norm.{leaf}", "norm.{leaf}"),
    ("class_embed.{leaf}", "classify.{leaf}"),
    ("mask_embed.layers.0.{leaf}", "embed_mask.0.{leaf}"),
    ("mask_embed.layers.1.{leaf}", "embed_mask.2.{leaf}"),
    ("mask_embed.layers.2.{leaf}", "embed_mask.4.{leaf}"),
]

ROWS: list[Row] = [
    *_RESNET,
    *_SWIN,
    *_inside("sem_seg_head.pixel_decoder.", "pixel_decoder.", *_PIXEL_DECODER),
    *_inside("sem_seg_head.", "pixel_decoder.", *_PIXEL_DECODER),  # their names before 2022
    *_inside("sem_seg_head.predictor.", "decoder.", *_VIDEO_DECODER),
]

# Tensors of the reference that have no place here on purpose: a pattern, then the reason.
SET_ASIDE = {
    r"backbone\..*\.relative_position_index": "follows from the window's size",
    r"backbone\..*\.attn_mask": "follows from the picture's size",
    r".*\.num_batches_tracked": "batch norms are frozen",
    r"backbone\.(stem\.fc|norm|head)\.\w+": "belongs to ImageNet's classifier",
    r"criterion\..*": "belongs to the loss",
    r"pixel_(mean|std)": "the model brings its own, ImageNet's in RGB",
}


def ours(theirs: str) -> tuple[str, ...]:
    """Our names for the parts of a tensor of the reference; none if no row speaks of it."""
    for row in ROWS:
        parts = _read(row[0], theirs)
        if parts is not None:
            return tuple(_fill(name, parts) for name in row[1:])
    return ()


def theirs(ours: str) -> str | None:
    """The reference's name for (the tensor that holds) one of ours."""
    for row in ROWS:
        for name in row[1:]:
            parts = _read(name, ours)
            if parts is not None:
                return _fill(row[0], parts)
    return None


def reason_to_set_aside(theirs: str) -> str | None:
    for pattern, reason in SET_ASIDE.items():
        if re.fullmatch(pattern, theirs):
            return reason
    return None


_PLACEHOLDER = re.compile(r"\{([a-z]+)(?:\+(\d))?\}")


def _read(template: str, name: str) -> dict[str, str] | None:
    """What the template's placeholders stand for in a name; None if it is no such name."""
    pattern, offsets = _compile(template)
    match = pattern.fullmatch(name)
    if match is None:
        return None
    parts = match.groupdict()
    for key, offset in offsets.items():
        if int(parts[key]) < offset:
            return None
        parts[key] = str(int(parts[key]) - offset)
    return parts


def _fill(template: str, parts: dict[str, str]) -> str:
    def put(match: re.Match) -> str:
        key, offset = match.groups()
        return str(int(parts[key]) + int(offset)) if offset else parts[key]

    return _PLACEHOLDER.sub(put, template)


@cache
def _compile(template: str) -> tuple[re.Pattern, dict[str, int]]:
    """A template as a pattern, and what is to be subtracted from its numbers."""
    pattern, offsets, end = "", {}, 0
    for found in _PLACEHOLDER.finditer(template):
        key, offset = found.groups()
        kind = r"\d+" if len(key) == 1 else r"\w+"
        pattern += re.escape(template[end : found.start()]) + f"(?P<{key}>{kind})"
        end = found.end()
        if offset:
            offsets[key] = int(offset)
    return re.compile(pattern + re.escape(template[end:])), offsets
