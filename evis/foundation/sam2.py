"""Masks through a video by SAM 2: where PM-VIS tracks its keyframes' masks by DeAOT.

What `load` returns carries a mask from frame to frame, as `evis.labels.tracking` takes it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from evis.data.errors import DataError
from evis.foundation import pretrained
from evis.foundation.dino import DEVIATION, MEAN

EXAMPLE = "facebook/sam2.1-hiera-tiny"
KIND = "sam2_video"  # config.json's model_type
KEPT = 64  # frames of a video whose features are kept for its next object: 1.4 GB at full size


def load(
    weights: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Callable:
    """SAM 2, from a folder in Hugging Face's format or the cache: a `tracking.Carrier`.

    Frames and masks are made as large as the network wants them, whatever their shape, as in SAM 2;
    a frame's mask is where its logits, enlarged, are above 0.
    """
    kind = pretrained.model_type(weights, EXAMPLE, "SAM 2")
    if kind != KIND:
        remedy = f"Give a Sam2VideoModel; one that fits is {EXAMPLE}"
        raise DataError(f"is of a {kind}", file=weights, remedy=remedy)
    network = pretrained.model("Sam2VideoModel", weights, EXAMPLE, device, dtype)
    sessions = pretrained.library().Sam2VideoInferenceSession
    side = network.config.image_size
    mean, deviation = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, DEVIATION))

    def looked_at(picture: np.ndarray) -> dict:
        """What the vision encoder makes of a frame: most of the work."""
        pretrained.check_picture(picture)
        resized = Image.fromarray(picture).resize((side, side), Image.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1) / 255
        pixels = ((pixels - mean) / deviation)[None].to(device, dtype)
        made = network.get_image_features(pixels, return_dict=True)
        places = made.fpn_position_encoding[-1:]  # of the others, which are large, none is used
        return {"vision_feats": made.fpn_hidden_states, "vision_pos_embeds": places}

    def sam2(read: Callable[[int], np.ndarray]) -> Callable:
        kept: dict[int, dict] = {}

        @torch.inference_mode()
        def carry(order: Sequence[int], mask: np.ndarray) -> np.ndarray:
            """n frames in the order to go, the first one's mask (h, w) -> (n - 1, h, w) bool."""
            state = {"inference_device": device, "inference_state_device": device}
            session = sessions(dtype=dtype, **state)
            session.processed_frames = dict.fromkeys(range(len(order)))  # only their number counts
            session.add_mask_inputs(session.obj_id_to_idx(1), 0, _prompt(mask, side))
            session.obj_with_new_inputs = [1]
            memory = session.output_dict_per_obj[0]["non_cond_frame_outputs"]
            found = np.zeros((len(order), *mask.shape), dtype=bool)
            for n, frame in enumerate(order):
                seen = kept.get(frame) or looked_at(read(frame))
                if len(kept) < KEPT:
                    kept[frame] = seen
                session.cache.cache_vision_features(n, seen)
                logits = network(session, frame_idx=n).pred_masks.float().cpu()  # (1, 1, h, w)
                found[n] = F.interpolate(logits, mask.shape, mode="bilinear")[0, 0].numpy() > 0
                memory.pop(n - network.config.max_object_pointers_in_encoder, None)  # out of reach
            return found[1:]

        return carry

    return sam2


def _prompt(mask: np.ndarray, side: int) -> Tensor:
    """(h, w) bool -> (1, 1, side, side) of 0 and 1, as transformers makes it."""
    large = torch.from_numpy(mask)[None, None].float()
    large = F.interpolate(large, (side, side), mode="bilinear", antialias=True)
    return (large >= 0.5).float()
