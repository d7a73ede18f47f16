"""What TEL does to masks that descend on the loss, and where its slope points, without training."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.companion import fit
from evis.losses import boxinst, tel, tk
from evis.papers.eigencluster import evidence
from evis.papers.eigencluster.evidence import of_pairs
from evis.papers.eigencluster.settings import Settings

STRIDE = 2  # of the toy models' logits
BETA = Settings.beta
TERMS: dict[str, Callable] = {  # of what finds L_tk and L_eig of each pair; TEL is Eq. 14
    "no TK": lambda tk, l_eig: 0.0,
    "TK": lambda tk, l_eig: tk().sum(),
    "TK x 100": lambda tk, l_eig: 100 * tk().sum(),
    "TEL, mean": lambda tk, l_eig: tel.temporal_loss(tk(), l_eig("mean"), BETA),
    "placebo of the mean": lambda tk, l_eig: _placebo(tk(), l_eig("mean")),
    "TEL, mean, x 100": lambda tk, l_eig: 100 * tel.temporal_loss(tk(), l_eig("mean"), BETA),
    "TEL, sum": lambda tk, l_eig: tel.temporal_loss(tk(), l_eig(), BETA),
    "placebo of the sum": lambda tk, l_eig: _placebo(tk(), l_eig()),
}


def _placebo(cost: Tensor, change: Tensor) -> Tensor:
    """TK times the mean factor of a TEL, as a number: it has no gradient."""
    return cost.sum() * (1 + BETA * change.detach().mean())


def batched(known: Sequence[fit.Boxed]) -> Callable[[Tensor], tuple[Tensor, Callable, Callable]]:
    """Logits (N, T, h, w) of all clips' objects -> what a batch of these clips costs, in parts:

    L_spatial, weighted; and what finds L_tk and L_eig of each pair.
    """
    boxes, pairs = torch.cat([one.boxes for one in known]), known[0].pairs
    alike = torch.cat([one.similarity for one in known])
    of_clips = [[p.expand(len(one.boxes), -1, -1, -1) for p in one.patches] for one in known]
    patches = [torch.cat(of_pair) for of_pair in zip(*of_clips, strict=True)]  # (N, 9, h, w) each

    def terms(logits: Tensor) -> tuple[Tensor, Callable, Callable]:
        single, filled = logits.flatten(0, 1), boxes.flatten(0, 1)
        spatial = Settings.dice_weight * boxinst.projection_loss(single, filled)
        pairwise = boxinst.pairwise_loss(single, alike, filled, flavour="paper")
        cost = partial(tk.tk_loss, logits, patches, boxes, pairs)
        return spatial + Settings.mask_weight * pairwise, cost, partial(of_pairs, logits, pairs)

    return terms


class Networks(nn.Module):
    """A `ColourNetwork` a clip: equal colours, equal logits."""

    rate = fit.ColourNetwork.rate

    def __init__(self, known: Sequence[fit.Boxed]):
        super().__init__()
        self.each = nn.ModuleList(fit.ColourNetwork(one) for one in known)

    def forward(self) -> Tensor:
        return torch.cat([network() for network in self.each])


def free_logits(known: Sequence[fit.Boxed]) -> fit.FreeLogits:
    return fit.FreeLogits(torch.cat([one.start(seed=n) for n, one in enumerate(known)]), blur=2)


def fitted(
    model: Callable[[Sequence[fit.Boxed]], nn.Module], number: int = 6, steps: int = 30
) -> pd.DataFrame:
    """A column a term, a line a clip: mIoU (%) of masks that gradient descent fits to boxes.

    All clips are one batch, as in training: Eq. 10 sums over the objects of all of them. TK is that
    of the toy rows: a mean over its matches, at the factor of 0.1.
    """
    clips = list(evidence.videos())[:number]
    known = [fit.boxed(clip, STRIDE) for clip in clips]
    truth = torch.cat([fit.shrunk(clip.masks, STRIDE) for clip in clips])
    clip_of = np.repeat(np.arange(number), [len(clip.labels) for clip in clips])
    terms, seen, found = batched(known), truth.flatten(2).any(-1), {}
    for name, term in TERMS.items():

        def loss(logits: Tensor, term=term) -> dict[str, Tensor]:
            spatial, *temporal = terms(logits)
            weight = Settings.mask_weight * Settings.temporal_factor
            return {"total": spatial + weight * term(*temporal)}

        ious = fit.ious(fit.fit(model(known), loss, steps).masks(), truth)
        of_objects = (ious * seen).sum(1) / seen.sum(1)
        found[name] = 100 * pd.Series(of_objects.numpy()).groupby(clip_of).mean()
    return pd.DataFrame(found)


def cosines(number: int = 16) -> pd.DataFrame:
    """Of the terms' slopes in the committed model's logits, with TK's and with that of BCE.

    A line a term and clip; "TEL alone" is what Eq. 13 adds by the slope of L_eig.
    """
    lines = []
    for clip in list(evidence.videos())[:number]:
        logits = evidence.matched(clip)[0].requires_grad_()
        truth = fit.shrunk(clip.masks, STRIDE)
        _, cost, change = batched([fit.boxed(clip, STRIDE)])(logits)
        values = {name: term(cost, change) for name, term in TERMS.items() if name != "no TK"}
        values["TEL alone"] = (cost().detach() * change()).sum()
        values["true masks"] = F.binary_cross_entropy_with_logits(logits, truth.float())
        slopes = {
            name: torch.autograd.grad(value, logits, retain_graph=True)[0].flatten()
            for name, value in values.items()
        }
        for name in values:
            each = (F.cosine_similarity(slopes[name], slopes[n], 0) for n in ("TK", "true masks"))
            lines.append((name, *map(float, each)))
    return pd.DataFrame(lines, columns=["term", "with TK", "with the true masks"])
