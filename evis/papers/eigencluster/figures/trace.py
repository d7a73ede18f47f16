"""One clip's way through model and losses, with everything on it kept, for the diagrams of 13."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evis.companion import model_parts
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses import boxinst, qcc, tel, tk
from evis.losses.criterion import criterion
from evis.losses.matched import match_layer
from evis.losses.settings import Settings
from evis.losses.targets import target_masks
from evis.models import VideoMask2Former
from evis.papers.eigencluster.box_cases import chosen


@dataclass(frozen=True)
class Trace:
    """Of one clip of T frames with N objects, under boxes; B = 1 everywhere."""

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
        """O, (Q, T, h, w)."""
        return self.prediction.mask_logits[0]

    @property
    def instances(self) -> Tensor:
        """E, (N, T, h, w): the logits of the queries that stand for the objects."""
        return self.logits[self.queries]

    @property
    def small(self) -> tuple[int, int]:
        """h', w': the logits' size once resized by 1 / S a side."""
        height, width = self.logits.shape[-2:]
        return height // self.settings.scale, width // self.settings.scale


@torch.no_grad()
def trace(model: VideoMask2Former, clip: Clip, settings: Settings, seed: int = 0) -> Trace:
    """settings: of stage three. Losses are taken after the warm-up of the temporal term."""
    if clip.frames.shape[0] != 3 or len(clip.labels) != 2:
        raise ValueError(
            "the diagrams are laid out for a clip of three frames and two objects, "
            f"got {clip.frames.shape[0]} and {len(clip.labels)}"
        )
    pictures = clip.frames[None]
    prediction = model(pictures)
    stride = prediction.stride
    boxes = target_masks(clip, "box", tuple(clip.frames.shape[-2:]), pictures.device)
    random = torch.Generator().manual_seed(seed)
    found = match_layer(prediction, [clip], [clip.labels], [boxes], settings, random, "last layer")
    (queries, _) = found.pairs[0]
    boxes = boxinst.resize_boxes(boxes, prediction.mask_logits.shape[-2:])
    lab = boxinst.lab(clip.frames, stride, settings.flavour)
    pairs = tel.cyclic_pairs(len(clip.frames))
    alike = [tk.patch_similarity(lab[None, a], lab[None, b]) for a, b in pairs]  # (1, 9, h, w)
    matches = torch.cat([chosen(of) for of in alike])
    spectra = tel.eigenvalues(found.logits, settings.eigenvalues, settings.scale)
    points = qcc.feature_points(prediction.mask_logits, settings.scale)
    clusters, _ = qcc.kmeans(points, [len(clip.labels)])
    alone = ClipPrediction(
        prediction.class_logits, prediction.mask_logits, embeddings=None, stride=stride
    )
    random = torch.Generator().manual_seed(seed)
    terms = criterion(alone, [clip], settings, settings.warm_up_steps, random)
    return Trace(
        clip=clip,
        settings=settings,
        seen=model_parts.see(model, pictures),
        prediction=prediction,
        boxes=boxes,
        queries=queries,
        pairs=pairs,
        matches=matches,
        tk=tk.tk_loss(found.logits, alike, boxes, pairs, flavour=settings.flavour),
        spectra=spectra,
        tel=tel.eigenvalue_loss(spectra, pairs),
        points=points[0],
        clusters=clusters[0],
        terms={name: float(value) for name, value in terms.items()},
    )
