"""From queries to instances, as Mask2Former-VIS does it: the best classes, masks at full size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.data import masks
from evis.data.errors import DataError
from evis.data.masks import RLE, Kept
from evis.data.types import Video
from evis.inference import run_lengths

AT_ONCE = 2**20, 2**26  # pixels enlarged at a time, 4 bytes each: on a CPU, on CUDA


def check_finite(tensors: Iterable[Tensor | None], video: Video, frame: int) -> None:
    """DataError where a model's numbers of this frame, or of a window from it on, are not."""
    if not all(tensor is None or tensor.isfinite().all() for tensor in tensors):
        problem = "the model's numbers are NaN or infinite"
        remedy = "Are its weights damaged, or is bfloat16 too coarse for it?"
        raise DataError(problem, video=video.name, frame=frame, remedy=remedy)


def choose(
    class_logits: Tensor, top: int, class_agnostic: bool = False
) -> list[tuple[int, int, float]]:
    """(N, C+1) -> (track, class, score) of the best `top`, best first.

    Every track competes with every class, so it can appear twice; class-agnostic, it competes once,
    with the probability that it is any object, and its class is the likeliest.
    """
    probabilities = class_logits.double().softmax(-1)[:, :-1]  # without "no object"
    return ranked(probabilities, top, probabilities.sum(-1) if class_agnostic else None)


def ranked(
    probabilities: Tensor, top: int, of_any: Tensor | None = None
) -> list[tuple[int, int, float]]:
    """As `choose`, of probabilities (N, C); class-agnostic where those of any object (N,) are
    given."""
    if of_any is not None:
        scores, classes = of_any, probabilities.argmax(-1)
        tracks = torch.arange(len(scores))
    else:
        scores = probabilities.flatten()
        number, count = probabilities.shape
        tracks = torch.arange(number).repeat_interleave(count)
        classes = torch.arange(count).repeat(number)
    best = scores.argsort(descending=True, stable=True)[:top].tolist()
    return [(int(tracks[i]), int(classes[i]), float(scores[i])) for i in best]


def encode(
    mask_logits: Tensor,
    stride: int,
    seen: tuple[int, int],
    size: tuple[int, int],
    mode: str = "bilinear",
) -> list[RLE | None]:
    """(N, h, w) logits -> N masks at `size` (height, width), None where empty.

    The model saw the frames at the size `seen`; from there on they are enlarged as `mode` says.
    Only a few are enlarged at a time. On CUDA they are encoded there.
    """
    encoded: list[RLE | None] = [None] * len(mask_logits)
    nothing = masks.from_runs([size[0] * size[1]], *size)
    for places, large in _enlarged(mask_logits, stride, seen, size, mode):
        columns = (large > 0).mT.contiguous()
        if columns.is_cuda:
            counts = run_lengths.compressed(columns)
            rles = [RLE(size=list(size), counts=text) for text in counts]
        else:
            rles = masks.encode_columns(columns.numpy())
        for place, rle in zip(places, rles, strict=True):
            encoded[place] = None if rle == nothing else rle
    return encoded


def inside(
    mask_logits: Tensor,
    stride: int,
    seen: tuple[int, int],
    size: tuple[int, int],
    mode: str = "bilinear",
) -> Tensor:
    """As `encode`, but (N, 2) float64: each mask's probabilities, summed, and how many they are."""
    sums = torch.zeros(len(mask_logits), 2, dtype=torch.float64)
    for places, large in _enlarged(mask_logits, stride, seen, size, mode):
        is_in = large > 0
        total = large.float().sigmoid().masked_fill(~is_in, 0).double().sum((1, 2))
        sums[places] = torch.stack([total, is_in.sum((1, 2)).double()], 1).cpu()
    return sums


def by_maskness(
    best: Sequence[tuple[int, int, float, Kept]], sums: Mapping[int, Tensor]
) -> list[tuple[int, int, float, Kept]]:
    """Tracks as `Tracks.best` gives them, scored and ordered by maskness: the mean of `inside`.

    sums: of each track (2,), added over its frames; one without any pixel has maskness 0.
    """
    nothing = torch.zeros(2, dtype=torch.float64)
    scored = []
    for track, label, _, kept in best:
        total, pixels = (nothing + sums.get(track, 0)).tolist()
        scored.append((track, label, total / max(1, pixels), kept))
    return sorted(scored, key=lambda one: -one[2])


def _enlarged(
    mask_logits: Tensor, stride: int, seen: tuple[int, int], size: tuple[int, int], mode: str
) -> Iterator[tuple[list[int], Tensor]]:
    """Some at a time, those that can be above 0 somewhere: where they stand, and (n, *size)."""
    # Enlarging interpolates: where no logit is above 0, no pixel will be.
    visible = (mask_logits > 0).flatten(1).any(1).cpu().nonzero().flatten()
    number = at_once(mask_logits.device, size)
    for start in range(0, len(visible), number):
        some = visible[start : start + number]
        yield some.tolist(), _enlarge(mask_logits[some], stride, seen, size, mode)


def at_once(device: torch.device, size: tuple[int, int]) -> int:
    """How many masks are enlarged at a time."""
    return max(1, AT_ONCE[device.type == "cuda"] // (size[0] * size[1]))


def _enlarge(
    logits: Tensor, stride: int, seen: tuple[int, int], size: tuple[int, int], mode: str
) -> Tensor:
    """(N, h, w) -> (N, *size): first to the model's pixels, where surplus is cut off, then on."""
    height, width = logits.shape[-2:]
    logits = _resize(logits[None], (height * stride, width * stride), "bilinear")
    return _resize(logits[..., : seen[0], : seen[1]], size, mode)[0]


def _resize(logits: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    if logits.shape[-2:] == size:
        return logits
    return F.interpolate(
        logits.float(), size, mode=mode, align_corners=False if mode == "bilinear" else None
    )
