"""Masks from boxes by SAM or SAM-HQ: the prompted segmenters of PM-VIS's pseudo masks.

What `load` returns is a plain function (picture, box) -> mask, as `evis.labels.from_boxes.label`
takes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from evis.data.errors import DataError
from evis.data.types import Box
from evis.foundation import pretrained

EXAMPLE = "syscv-community/sam-hq-vit-base"  # SAM's is facebook/sam-vit-base
_KINDS = {"sam": "SamModel", "sam_hq": "SamHQModel"}  # by config.json's model_type


def load(
    weights: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Callable[[np.ndarray, Box], np.ndarray]:
    """SAM or SAM-HQ, whichever the folder in Hugging Face's format, or the cache, holds.

    PM-VIS does not say which of the networks' masks it takes; we take the one that both were made
    to give where a prompt is as clear as a box, and for SAM-HQ the sum of SAM's and its own.
    """
    kind = pretrained.model_type(weights, EXAMPLE, "SAM or SAM-HQ")
    if kind not in _KINDS:
        remedy = f"Give {' or '.join(_KINDS.values())}; one that fits is {EXAMPLE}"
        raise DataError(f"is of a {kind}", file=weights, remedy=remedy)
    network = pretrained.model(_KINDS[kind], weights, EXAMPLE, device, dtype)
    side = network.config.vision_config.image_size
    processor = pretrained.library().SamImageProcessorPil(
        size={"longest_edge": side}, pad_size={"height": side, "width": side}
    )
    # The picture before, and what the vision encoder made of it, which is most of the work. The two
    # are set and taken together, as threads of a cluster share this function.
    last: list = [(None, None)]

    def embedded(picture: np.ndarray) -> tuple[dict, list[int]]:
        """What the prompts of a picture share, and its size as the network sees it."""
        before, found = last[0]
        if before is None or not np.array_equal(before, picture):
            made = processor(picture, input_data_format="channels_last", return_tensors="pt")
            vision = network.vision_encoder(made["pixel_values"].to(device, dtype))
            shared = {"image_embeddings": vision.last_hidden_state}
            if kind == "sam_hq":
                shared["intermediate_embeddings"] = vision.intermediate_embeddings
            found = shared, made["reshaped_input_sizes"][0].tolist()
            last[0] = picture.copy(), found
        return found

    @torch.no_grad()
    def segment(picture: np.ndarray, box: Box) -> np.ndarray:
        """(h, w, 3) uint8 RGB, (x, y, width, height) -> (h, w) bool, perhaps empty."""
        pretrained.check_picture(picture)
        pretrained.check_box(box)
        x, y, width, height = box
        shared, seen = embedded(picture)
        down, across = np.divide(seen, picture.shape[:2])
        corners = [x * across, y * down, (x + width) * across, (y + height) * down]
        prompt = torch.tensor([[corners]], dtype=torch.float32, device=device)
        made = network(**shared, input_boxes=prompt, multimask_output=False)
        logits = made.pred_masks.float().cpu()  # (1, 1, 1, h, w)
        return processor.post_process_masks(logits, [picture.shape[:2]], [seen])[0][0, 0].numpy()

    segment.__name__ = kind  # the name that labels made from it tell
    return segment
