"""COCO's compressed run lengths, made where masks are: a GPU sends a few bytes in place of pixels.

`evis.data.masks.run_lengths` says what they look like. On a CPU pycocotools is faster.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def compressed(columns: Tensor) -> list[str]:
    """(N, w, h) bool, masks as their columns lie in run lengths -> the counts string of each."""
    number, pixels = len(columns), columns[0].numel()
    flat = F.pad(columns.flatten(1), (1, 0))  # a run of background comes first, if an empty one
    ends = torch.ones_like(flat)  # the last pixel's is the end of its mask
    ends[:, :-1] = flat[:, 1:] != flat[:, :-1]
    places = ends.flatten().nonzero().flatten()
    mask, end = places // (pixels + 1), places % (pixels + 1)
    order = torch.arange(len(places), device=places.device)
    runs_before = F.pad(ends.sum(1).cumsum(0), (1, 0))[:-1]  # of earlier masks
    order = order - runs_before[mask]
    runs = end - torch.where(order > 0, F.pad(end, (1, 0))[:-1], 0)
    values = runs - torch.where(order > 2, F.pad(runs, (2, 0))[:-2], 0)
    groups = -(-(pixels.bit_length() + 1) // 5)  # of 5 bits, that hold any difference of runs
    shifts = 5 * torch.arange(groups, device=places.device)
    bits = (values[:, None] >> shifts) & 31
    rest = values[:, None] >> (shifts + 5)
    goes_on = rest != -(bits >> 4)  # the sign is repeated without end
    written = F.pad(goes_on.long().cumprod(1), (1, 0), value=1)[:, :-1].bool()
    text = (bits + 32 * goes_on + 48).to(torch.uint8)[written]
    sizes = torch.zeros(number, dtype=torch.long, device=places.device)
    sizes.index_add_(0, mask, written.sum(1))
    text, sizes = text.cpu().numpy().tobytes().decode(), sizes.cpu()
    stops = sizes.cumsum(0)
    bounds = zip((stops - sizes).tolist(), stops.tolist(), strict=True)
    return [text[start:stop] for start, stop in bounds]
