"""One clip's way through the model and the losses, with everything on it kept, for Figs 2 to 4."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evis.companion import model_parts
from evis.data.clips import Clip
from evis.losses import qcc, tel, tk
from evis.models import VideoMask2Former
from evis.papers.eigencluster.one_batch import Batch, matched_batch
from evis.papers.eigencluster.settings import Settings


@dataclass(frozen=True)
class OneClip(Batch):
    """A clip of T frames with N objects, under boxes."""

    seen: model_parts.Seen  # feature maps and pixel embeddings

    @property
    def clip(self) -> Clip:
        return self.clips[0]

    @property
    def frames(self) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB."""
        return self.clip.frames.permute(0, 2, 3, 1).numpy()

    @property
    def logits(self) -> Tensor:
        """O, (C, T, h, w): a mask a query."""
        return self.prediction.mask_logits[0]

    @property
    def queries(self) -> Tensor:
        """(N,): the query that stands for each object, after the Hungarian matching."""
        return self.match.queries[-1]

    @property
    def small(self) -> Tensor:
        """(N, T, h', w'): E, resized by 1 / S a side."""
        height, width = (side // self.settings.scale for side in self.instances.shape[-2:])
        return tel.features(self.instances, self.settings.scale).unflatten(-1, (height, width))

    @property
    def pairs(self) -> tk.Pairs:
        return tel.cyclic_pairs(len(self.clip.frames))

    @cached_property
    def matches(self) -> Tensor:
        """(pairs, 9, h, w) bool: the candidates that TK keeps of each pixel."""
        first, second = (self.lab()[0, list(frames)] for frames in zip(*self.pairs, strict=True))
        return tk.matches(tk.patch_similarity(first, second))

    @cached_property
    def tk(self) -> Tensor:
        """(pairs,): L_tk, Eq. 12 or with the released divisor, as the settings have it."""
        of_pixels = self.settings.tk_mean == "pixels"
        return self.l_tk(self.pairs, flavour="paper" if of_pixels else "released")

    @cached_property
    def spectra(self) -> Tensor:
        """(N, T, Y), Eq. 9."""
        return tel.eigenvalues(self.instances, self.settings.eigenvalues, self.settings.scale)

    @property
    def compared(self) -> int:
        """How many eigenvalues of either frame L_eig is a mean over: N Y."""
        return self.spectra[:, 0].numel()

    @property
    def tel(self) -> Tensor:
        """(pairs,): L_eig, Eq. 10, the mean that Fig. 4 calls MAE."""
        return tel.eigenvalue_loss(self.spectra, self.pairs, "mean")

    @property
    def psi(self) -> float:
        """The temporal term over all pairs, Eqs. 13-14."""
        return float(tel.temporal_loss(self.tk, self.tel, self.settings.beta))

    @cached_property
    def points(self) -> Tensor:
        """(T * h' * w', C): F."""
        return qcc.feature_points(self.prediction.mask_logits, self.settings.scale)[0]

    @cached_property
    def clusters(self) -> Tensor:
        """(T * h' * w',): the K-means cluster of each point."""
        return qcc.kmeans(self.points[None], self.objects)[0][0]

    @cached_property
    def terms(self) -> dict[str, float]:
        """Of the last layer, as the loss gives them; Q is "qcc"."""
        return {name: float(value) for name, value in self.loss().items()}

    def matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """A, D and La (Eqs. 5-7) of the first object, (T, n, n) each, pixels in order of logits."""
        pixels = self.small[0].flatten(1).sort(-1, descending=True).values  # (T, n)
        affinity = torch.einsum("ti,tj->tij", pixels, pixels).relu()
        degree = torch.diag_embed(affinity.sum(-1))
        return affinity, degree, degree - affinity

    def centroids(self) -> tuple[Tensor, Tensor]:
        """Of the clusters: centroids (K, C), and the mean distance of their points, (K,)."""
        groups = [self.points[self.clusters == k] for k in range(len(self.queries))]
        centres = torch.stack([group.mean(0) for group in groups])
        spreads = [(g - c).norm(dim=1).mean() for g, c in zip(groups, centres, strict=True)]
        return centres, torch.stack(spreads)

    def plane(self) -> tuple[Tensor, Tensor]:
        """Points (n, 2) and centroids (K, 2) on a plane through two centroids, which lie on its
        first axis, at their true distance; it holds most of what the other directions differ in.
        """
        centres, _ = self.centroids()
        middle, first = centres.mean(0), F.normalize(centres[1] - centres[0], dim=0)
        points = self.points - middle
        rest = points - torch.outer(points @ first, first)
        second = torch.linalg.svd(rest.double(), full_matrices=False)[2][0].float()
        axes = torch.stack((first, second * second.sum().sign()), dim=1)  # SVD leaves a sign open
        return points @ axes, (centres - middle) @ axes


@torch.no_grad()
def follow(model: VideoMask2Former, clip: Clip, settings: Settings) -> OneClip:
    """settings: of stage three."""
    if clip.frames.shape[0] != 3 or len(clip.labels) != 2:
        raise ValueError(
            "the diagrams are laid out for a clip of three frames and two objects, "
            f"got {clip.frames.shape[0]} and {len(clip.labels)}"
        )
    pictures = clip.frames[None]
    batch = matched_batch([clip], model(pictures), settings)
    return OneClip(**vars(batch), seen=model_parts.see(model, pictures))
