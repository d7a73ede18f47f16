"""One clip's way through the model and the losses, with everything on it kept, for Figs 2 to 4."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evis.companion import model_parts
from evis.criterion.step import Step
from evis.criterion.targets import target_masks
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses import boxinst, qcc, tel, tk
from evis.matching import match
from evis.models import VideoMask2Former
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.settings import Settings


@dataclass(frozen=True)
class OneClip:
    """A clip of T frames with N objects, under boxes; B = 1 everywhere."""

    clip: Clip
    settings: Settings
    seen: model_parts.Seen  # feature maps and pixel embeddings
    prediction: ClipPrediction  # O and U
    boxes: Tensor  # (N, T, h, w) bool, at the logits' size
    queries: Tensor  # (N,): c_i, the query that stands for object i (Hungarian)
    pairs: tk.Pairs  # of frames, cyclic
    matches: Tensor  # (pairs, 9, h, w) bool: the candidates that TK keeps of each pixel
    tk: Tensor  # (pairs,) L_tk, Eq. 12
    spectra: Tensor  # (N, T, Y), Eq. 9
    tel: Tensor  # (pairs,) L_eig, Eq. 10
    points: Tensor  # (T * h' * w', C): F
    clusters: Tensor  # (T * h' * w',): the K-means cluster of each point
    terms: dict[str, float]  # of the last layer, as the criterion gives them; Q is "qcc"

    @property
    def frames(self) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB."""
        return self.clip.frames.permute(0, 2, 3, 1).numpy()

    @property
    def logits(self) -> Tensor:
        """O, (C, T, h, w): a mask a query."""
        return self.prediction.mask_logits[0]

    @property
    def instances(self) -> Tensor:
        """E, (N, T, h, w): the logits of the queries that stand for the objects."""
        return self.logits[self.queries]

    @property
    def small(self) -> Tensor:
        """(N, T, h', w'): E, resized by 1 / S a side."""
        height, width = (side // self.settings.scale for side in self.logits.shape[-2:])
        return tel.features(self.instances, self.settings.scale).unflatten(-1, (height, width))

    @property
    def psi(self) -> float:
        """The temporal term over all pairs, Eqs. 13-14."""
        return float(tel.temporal_loss(self.tk, self.tel, self.settings.beta))

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
def follow(model: VideoMask2Former, clip: Clip, settings: Settings, seed: int = 0) -> OneClip:
    """settings: of stage three. Losses are taken after the warm-up of the temporal term."""
    if clip.frames.shape[0] != 3 or len(clip.labels) != 2:
        raise ValueError(
            "the diagrams are laid out for a clip of three frames and two objects, "
            f"got {clip.frames.shape[0]} and {len(clip.labels)}"
        )
    pictures = clip.frames[None]
    prediction = model(pictures)
    logits, stride = prediction.mask_logits, prediction.stride
    boxes = target_masks([clip], "box", tuple(pictures.shape[-2:]), pictures.device)
    target, random = [(clip.labels, boxes)], torch.Generator().manual_seed(seed)
    ((queries, objects),) = match(
        prediction.class_logits, logits, target, "boxes", settings.points, random
    )
    queries = queries[objects.argsort()]
    boxes = boxinst.resize_boxes(boxes, logits.shape[-2:])
    lab = boxinst.lab(clip.frames, stride, settings.flavour)
    pairs = tel.cyclic_pairs(len(clip.frames))
    alike = [tk.patch_similarity(lab[None, a], lab[None, b]) for a, b in pairs]  # (1, 9, h, w)
    matches = [tk.best_candidates(each) & (each >= tk.THRESHOLD) for each in alike]
    instances = logits[0, queries].float()
    spectra = tel.eigenvalues(instances, settings.eigenvalues, settings.scale)
    points = qcc.feature_points(logits, settings.scale)
    clusters, _ = qcc.kmeans(points, [len(clip.labels)])
    last_layer = ClipPrediction(prediction.class_logits, logits, embeddings=None, stride=stride)
    random = torch.Generator().manual_seed(seed)
    terms = Loss(settings)(last_layer, [clip], Step(settings.warm_up_steps), random)
    return OneClip(
        clip=clip,
        settings=settings,
        seen=model_parts.see(model, pictures),
        prediction=prediction,
        boxes=boxes,
        queries=queries,
        pairs=pairs,
        matches=torch.cat(matches),
        tk=tk.tk_loss(instances, alike, boxes, pairs, flavour=settings.flavour),
        spectra=spectra,
        tel=tel.eigenvalue_loss(spectra, pairs),
        points=points[0],
        clusters=clusters[0],
        terms={name: float(value) for name, value in terms.items()},
    )
