"""IDOL's released checkpoints: what they call our tensors, and what sizes they tell.

As `evis.models.reference` has it for Mask2Former-VIS. The backbones' names are the same.
"""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from evis.data.errors import DataError
from evis.models import reference
from evis.models.config import ModelConfig
from evis.models.idol import LEVELS
from evis.models.pixel_decoder import POINTS

# From our names to theirs, one after the other.
_RULES: list[reference.Rule] = [
    (r"^projections\.", "detr.detr.input_proj."),
    (r"^level_embedding$", "detr.detr.transformer.level_embed"),
    (r"^queries$", "detr.detr.query_embed.weight"),
    (r"^first_centre\.", "detr.detr.transformer.reference_points."),
    (r"^classify\.", "detr.detr.class_embed."),
    # Heads of three layers
    (r"^decoder\.(bbox_embed\.\d+)\.", r"detr.detr.\1.layers."),
    (r"^masks\.controller\.", "detr.controller.layers."),
    (r"^embed\.", "detr.reid_embed_head.layers."),
    (r"\.layers\.2\.(weight|bias)$", r".layers.1.\1"),
    (r"\.layers\.4\.(weight|bias)$", r".layers.2.\1"),
    # The mask branch
    (r"^masks\.branch\.0\.", "detr.mask_head.lay3."),
    (r"^masks\.branch\.1\.", "detr.mask_head.lay4."),
    (r"^masks\.branch\.2\.", "detr.mask_head.dcn."),
    (r"^masks\.branch\.3\.", "detr.mask_head.lay1."),
    (r"^masks\.branch\.4\.", "detr.mask_head.lay2."),
    # Encoder and decoder
    (r"^(encoder|decoder)\.", r"detr.detr.transformer.\1."),
    (r"\.mlp\.fc(\d)\.", r".linear\1."),
    (r"\.self_attn\.[qkv]_proj\.", ".self_attn.in_proj_"),
    (r"\.self_attn\.o_proj\.", ".self_attn.out_proj."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"(\.encoder\..*)\.self_attn_layer_norm\.", r"\1.norm1."),
    (r"(\.encoder\..*)\.final_layer_norm\.", r"\1.norm2."),
    (r"\.encoder_attn_layer_norm\.", ".norm1."),
    (r"\.self_attn_layer_norm\.", ".norm2."),
    (r"\.final_layer_norm\.", ".norm3."),
]

# Tensors of the reference that have no place here on purpose: a pattern, then the reason.
_SET_ASIDE = {
    r"detr\.detr\.transformer\.decoder\.bbox_embed\..*": "is detr.detr.bbox_embed once more",
    r"backbone\.norm0\.\w+": "belongs to the finest map, which IDOL doesn't use",
}


def is_idol(names: Iterable[str]) -> bool:
    """Whether tensors with these names, ours or theirs, are IDOL's."""
    return any("controller." in name for name in names)


def theirs(ours: str) -> str:
    """The reference's name for (the tensor that holds) one of ours."""
    if ours.startswith("backbone."):
        return reference.theirs(ours)
    return reference.renamed(ours, _RULES)


def to_ours(tensors: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """A reference's tensors under these names of ours; what is none of ours keeps its own."""
    queries_first = sorted(names, key=lambda name: name.replace(".q_proj.", ".a_proj."))
    return reference.to_ours(tensors, queries_first, theirs)


def reason_to_set_aside(theirs: str) -> str | None:
    for pattern, reason in _SET_ASIDE.items():
        if re.fullmatch(pattern, theirs):
            return reason
    return reference.reason_to_set_aside(theirs)


def config_of(tensors: Mapping[str, Tensor], file: object = None) -> ModelConfig:
    """The config of the IDOL with these tensors, under the reference's names."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    encoder, decoder = (f"detr.detr.transformer.{part}.layers" for part in ("encoder", "decoder"))
    attention = f"{encoder}.0.self_attn.attention_weights.weight"
    try:
        return ModelConfig(
            classes=shapes["detr.detr.class_embed.0.weight"][0],
            backbone=reference.backbone_of(shapes),
            queries=shapes["detr.detr.query_embed.weight"][0],
            hidden=shapes["detr.detr.transformer.level_embed"][-1],
            mask_channels=shapes["detr.mask_head.lay2.weight"][0],
            heads=shapes[attention][0] // (LEVELS * POINTS),
            encoder_layers=reference.count(shapes, encoder),
            encoder_feed_forward=shapes[f"{encoder}.0.linear1.weight"][0],
            decoder_layers=reference.count(shapes, decoder),
            decoder_feed_forward=shapes[f"{decoder}.0.linear1.weight"][0],
        )
    except KeyError as error:
        raise DataError(
            f"the tensor {error.args[0]} is missing, without which the model's sizes are unknown",
            file=file,
            remedy="Is it a whole checkpoint of IDOL? A backbone alone is for load_backbone",
        ) from None
