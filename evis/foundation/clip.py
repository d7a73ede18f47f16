"""Names of crops by CLIP or OpenCLIP: pictures and words as points of one space (UVIS, Eq. 1).

`evis.labels.names.name` compares what `Clip.images` and `Clip.texts` give.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.data.boxes import touched
from evis.data.errors import DataError
from evis.data.types import Box
from evis.foundation import pretrained

EXAMPLE = "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"  # UVIS's
BATCH = 64

# CLIP names a class by 80 sentences, so that none of them decides alone; UVIS's are in a supplement
# that we do not have. These are as many of our own, for things in frames of videos: give
# `Clip.texts` CLIP's list for CLIP's numbers. No "a" stands right before a name: some want "an".
TEMPLATES = (
    "{}",
    "a photo of one {}",
    "a snapshot of the {}",
    "a frame of a video with one {}",
    "a still of a film about one {}",
    "the first frame of a clip of the {}",
    "a phone's video of one {}",
    "a frame of a shaky video of the {}",
    "one {} seen by a street camera",
    "one {} filmed out of a moving car",
    "one {} filmed from above",
    "one {} filmed from below",
    "one {} seen from its side",
    "one {} seen from behind",
    "one {} that faces the camera",
    "one {} that turns away",
    "one {} close to the camera",
    "one {} far from the camera",
    "a close-up that shows one {}",
    "some part of one {}",
    "the upper half of one {}",
    "the whole of one {}",
    "one {} in the middle of the picture",
    "one {} at the edge of the picture",
    "one {} that leaves the picture",
    "one {} that comes into the picture",
    "one {} that fills the picture",
    "a tiny {} in a wide landscape",
    "a huge {} right in front",
    "one small {}",
    "one big {}",
    "one {} among other things",
    "one {} behind something else",
    "one {} behind leaves and branches",
    "a half hidden {}",
    "a lone {}",
    "one {} in a crowd",
    "one {} beside another of its kind",
    "one {} that moves fast, blurred",
    "one {} in motion",
    "one {} in mid-air",
    "one {} that keeps still",
    "a slow {}",
    "an out-of-focus picture with one {}",
    "a grainy picture with one {}",
    "a clear and sharp picture with one {}",
    "a faded picture with one {}",
    "a picture in grey with one {}",
    "one {} in bright light",
    "one {} against the light",
    "one {} in the dark",
    "one {} in the evening",
    "one {} at night under lamps",
    "one {} in its own shadow",
    "one {} in fog",
    "one {} in the rain",
    "one {} in snow",
    "one {} in water",
    "one {} on grass",
    "one {} on sand",
    "one {} on a road",
    "one {} on a table",
    "one {} among trees",
    "one {} before the sky",
    "one {} outside",
    "one {} in a room",
    "a young {}",
    "an old {}",
    "a pale {}",
    "a dark {}",
    "a many-coloured {}",
    "an odd {}",
    "an ordinary {}",
    "a child's drawing of one {}",
    "a pencil drawing with one {}",
    "a picture in oil with one {}",
    "an old print with one {}",
    "a comic strip about one {}",
    "a computer's picture of one {}",
    "a small wooden figure of one {}",
)


@dataclass(frozen=True)
class Clip:
    """Embeddings of length 1, float32 on the CPU."""

    network: nn.Module
    source: str | Path  # its folder or name, which has the tokenizer too; pictures need none

    @torch.no_grad()
    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures or crops, (h, w, 3) uint8 RGB of any sizes, -> (n, C).

        The paper does not say how crops become squares; we keep CLIP's way: the shorter side fills
        the square, and the middle is taken.
        """
        for picture in pictures:
            pretrained.check_picture(picture)
        weight = self.network.visual_projection.weight
        side = self.network.config.vision_config.image_size
        processor = pretrained.library().CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
        found = [weight.new_zeros(0, len(weight))]
        for start in range(0, len(pictures), BATCH):
            given = list(pictures[start : start + BATCH])
            made = processor(given, input_data_format="channels_last", return_tensors="pt")
            values = made["pixel_values"].to(weight.device, weight.dtype)
            found.append(self.network.get_image_features(values).pooler_output)
        return _unit(torch.cat(found)).cpu().numpy()

    @torch.no_grad()
    def texts(self, names: Sequence[str], templates: Sequence[str] = TEMPLATES) -> np.ndarray:
        """K names -> (K, C): the mean over sentences, each of length 1 before and after.

        Names may be written as data sets do, as in "giant_panda".
        """
        tokenizer = pretrained.part("CLIPTokenizer", self.source, EXAMPLE)
        settings = self.network.config.text_config
        words = len(tokenizer) - len(tokenizer.all_special_tokens)
        if words <= 0 or len(tokenizer) > settings.vocab_size:  # of no files an empty one is made
            problem = f"has {len(tokenizer)} tokens for a network of {settings.vocab_size}"
            remedy = "Copy the tokenizer.json of the same model into the folder"
            raise DataError(problem, file=self.source, remedy=remedy)
        weight = self.network.text_projection.weight

        def embed(sentences: Sequence[str]) -> Tensor:
            tokens = tokenizer(
                sentences,
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=settings.max_position_embeddings,
            ).to(weight.device)
            return self.network.get_text_features(**tokens).pooler_output

        return averaged(names, templates, embed, weight.new_zeros(0, len(weight)))

    @property
    def scale(self) -> float:
        """One over the temperature that it was trained with; 100 in CLIP's and OpenCLIP's."""
        return self.network.logit_scale.exp().item()


def load(
    weights: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Clip:
    """CLIP from a folder in Hugging Face's format, or from its name in the cache."""
    return Clip(pretrained.model("CLIPModel", weights, EXAMPLE, device, dtype), weights)


def averaged(
    names: Sequence[str],
    templates: Sequence[str],
    embed: Callable[[list[str]], Tensor],
    empty: Tensor,
) -> np.ndarray:
    """K names -> (K, C): the mean over sentences, each of length 1 before and after.

    embed: sentences -> (n, C) of any lengths. empty: (0, C), what no name gives.
    """
    if isinstance(names, str) or not templates or any("{}" not in t for t in templates):
        raise ValueError('names should be a list, and templates sentences with a "{}" each')
    found = [empty.float()]
    for name in names:
        sentences = [template.replace("{}", name.replace("_", " ")) for template in templates]
        found.append(_unit(embed(sentences)).mean(0, keepdim=True))
    return _unit(torch.cat(found)).cpu().numpy()


def crops(picture: np.ndarray, boxes: Sequence[Box]) -> list[np.ndarray]:
    """Every pixel that each box touches, at least one."""
    return [picture[touched(box, *picture.shape[:2])] for box in boxes]


def _unit(embeddings: Tensor) -> Tensor:
    return F.normalize(embeddings.float(), dim=-1)
