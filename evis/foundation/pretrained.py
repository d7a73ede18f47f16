"""Weights that a user has, read by transformers: from a folder or from its cache, never a download.

What is missing, is of another model or lacks a part ends in one error, which says where weights
were looked for and how to get them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

from evis.data.errors import DataError
from evis.data.quiet import quiet_transformers
from evis.data.types import Box


def model(
    kind: str,
    source: str | Path,
    example: str,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    **settings: object,
) -> nn.Module:
    """transformers' model of this class, every tensor from the files, in eval mode.

    source: a folder in Hugging Face's format, or the name of one on its hub that is in its cache.
    example: the name on the hub of one that fits, for who has none yet.
    """
    settings = {"dtype": dtype, "output_loading_info": True, **settings}
    network, found = part(kind, source, example, **settings)
    if missing := sorted(found["missing_keys"]):
        problem = f"is no whole {kind}: it lacks {len(missing)} tensors ({missing[0]}, ...)"
        raise DataError(problem, file=source, remedy=f"One that fits is {example}")
    return network.to(device).eval()


def part(kind: str, source: str | Path, example: str, **settings: object):
    """What transformers' class of this name reads from the source: a model, a tokenizer, ..."""
    reader = getattr(library(), kind)
    with reading(kind, source, example):
        return reader.from_pretrained(source, local_files_only=True, **settings)


def model_type(source: str | Path, example: str, kinds: str = "model") -> str:
    """The kind of model that the source's config.json names, such as "sam".

    kinds: those that would do, in words.
    """
    reader = library().PreTrainedConfig
    with reading(kinds, source, example):
        return reader.get_config_dict(source, local_files_only=True)[0]["model_type"]


def library() -> ModuleType:
    """transformers; nothing of evis's foundation imports it before it is called."""
    try:
        import transformers
    except ImportError:
        remedy = "pip install transformers, or use what stands in for them"
        raise ImportError(f"foundation models need transformers: {remedy}") from None
    return transformers


@contextmanager
def reading(kind: str, source: str | Path, example: str) -> Iterator[None]:
    """transformers without its reports, and whatever it fails on as one DataError."""
    from transformers.utils import hub

    try:
        with quiet_transformers():
            yield
    except Exception as error:  # a damaged file can fail anywhere
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        problem = f"transformers reads no {kind} there ({said})"
        remedy = f"Is it whole, and of the right kind? One that fits is {example}"
        if not Path(source).exists():
            cache = hub.constants.HF_HUB_CACHE
            problem = f"there is no such file or folder, nor a {kind} of this name in {cache}"
            remedy = "The folder of its weights is wanted, or the name of one in the cache. Where "
            remedy += f"there is a network, run `hf download {example}`; then give that name, or "
            remedy += "the path of the folder where you put it"
        raise DataError(problem, file=source, remedy=remedy) from error


def check_picture(picture: np.ndarray) -> None:
    shape = picture.shape
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or picture.dtype != np.uint8:
        raise ValueError(f"a picture should be (h, w, 3) uint8, is {shape} {picture.dtype}")


def check_box(box: Box) -> None:
    if not np.isfinite(box).all() or min(box[2:]) < 0:
        raise ValueError(f"a box should be x, y, width, height in pixels, is {box}")
