"""The lead paper's loss under boxes (section III-E); no mask is ever read.

    total = class + Q^alpha (L_spatial + L_temporal)      the equation after Eq. 14
    total = Q^alpha (class + L_spatial + L_temporal)      `q_scales="everything"`, as released

Stage one learns from masks, by Mask2Former's loss.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from evis.criterion.mask_loss import MaskLoss
from evis.criterion.matched import Group, Matched, grouped, matched
from evis.criterion.step import Step
from evis.criterion.terms import Terms, box_terms, by_layer, class_term, objects_of, summed
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses import boxinst, qcc, tel, tk
from evis.losses.tensors import resize
from evis.matching import Weights
from evis.papers.eigencluster.settings import Settings
from evis.papers.eigencluster.temporal import Scheme

_FLAVOUR = {  # what the functions of `evis.losses` call a choice
    **dict.fromkeys(("all edges", "none", "pixels", "sum", "best start"), "paper"),
    **dict.fromkeys(("similar edges", "matches", "detached mean", "one start"), "released"),
    **{"mean": "mean", "soft": "soft"},
}
_OF_MASKS = ("class_weight", "mask_weight", "dice_weight", "no_object_weight", "points")


class Loss(nn.Module):
    """Match queries to objects in every decoder layer, then add up the terms.

    `scheme` takes the place of TK and TEL in the temporal term (Table II); the loss has parameters
    where the scheme learns to match.

    A clip is judged on its own size, whatever it is padded to; with a scheme, and as released,
    clips are on the canvas of their batch, as in the published code, and what they cost depends on
    it. An object weighs the same in the class term, projection and TK, however a step is split.
    What is a mean over edges (pairwise, TK as released, schemes), L_eig and Q are those of a
    micro-batch, as published.
    """

    def __init__(self, settings: Settings, scheme: Scheme | None = None):
        super().__init__()
        self.settings, self.scheme = settings, scheme

    def forward(
        self,
        prediction: ClipPrediction,
        clips: Sequence[Clip],
        step: Step,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Every term by name, before its weight, and `total`, which is what to minimise.

        Terms of the last layer have plain names, those of earlier layer i end in `_i`. Beside the
        optimised ones (`Settings.weights`), under boxes: `tk` and `tel`, sums over the frame pairs
        of L_tk and L_eig, and `qcc`, the factor Q of the last layer's masks; neither TEL nor Q is
        computed where its beta or alpha is 0. A clip without objects has the class term only.
        """
        settings = self.settings
        as_padded = settings.canvas == "batch" or self.scheme is not None
        if settings.supervision == "mask":
            same = {name: getattr(settings, name) for name in _OF_MASKS}
            return MaskLoss(**same, as_padded=as_padded)(prediction, clips, step, generator)
        objects, queries = objects_of(step, clips), prediction.class_logits.shape[:2].numel()
        weights = Weights(settings.class_weight, settings.mask_weight, settings.dice_weight)
        with torch.autocast(prediction.mask_logits.device.type, enabled=False):
            groups = grouped(prediction, clips, "boxes", as_padded)
            instances = sum(min(len(c.labels), prediction.class_logits.shape[1]) for c in clips)
            of_groups = []
            for group in groups:
                for match in matched(group, settings.points, generator, weights):
                    terms = self._box_terms(match, objects, instances)
                    terms |= class_term(match, queries, objects, settings.no_object_weight)
                    of_groups.append((match, terms))
            terms = summed(of_groups, len(prediction.layers) + 1)
            for name, parts in (("pairwise", "edges"), ("tk", "matches")):
                if parts in terms:
                    terms[name] = terms[name] / terms.pop(parts).clamp(min=1)
            terms |= self._temporal(terms, step)
            found = by_layer(terms)
            if settings.alpha:
                scores = sum(self._scores(group) for group in groups)
                found["qcc"] = (1 + scores / len(clips)).to(terms["class"].dtype)
            found["total"] = self._total(terms, found.get("qcc", settings.q_placebo))
        return found

    def _box_terms(self, match: Matched, objects: float, instances: int) -> Terms:
        """L_spatial, and what L_temporal is made of: (L, pairs) of TK and TEL, or of the scheme.

        instances: how many objects of the micro-batch are matched, N of Eq. 9.
        """
        settings, group = self.settings, match.group
        frames, logits = group.frames, match.logits  # (B, T, 3, H, W), (L, M, T, h, w)
        lab = boxinst.lab(frames.flatten(0, 1), group.layers[0].stride, settings.colours)
        pairwise, tk_mean = _FLAVOUR[settings.pairwise], _FLAVOUR[settings.tk_mean]
        similar = boxinst.alike(boxinst.color_similarity(lab), flavour=pairwise)
        similar = similar.unflatten(0, frames.shape[:2])[match.clip_of]  # (M, T, 8, h, w)
        lab = lab.unflatten(0, frames.shape[:2])  # (B, T, 3, h, w)
        boxes = resize(group.targets[match.objects], logits.shape[-2:])
        terms = box_terms(logits, boxes, similar, objects, pairwise)
        if frames.shape[1] < 2 or not settings.temporal_factor:
            return terms
        pairs_of = tel.all_pairs if settings.pairs == "every" else tel.cyclic_pairs
        pairs = pairs_of(frames.shape[1])
        if self.scheme is not None and len(boxes):
            costs = [self.scheme(layer, lab[match.clip_of], boxes, pairs) for layer in logits]
            terms["scheme"] = torch.stack(costs)
        if self.scheme is not None:
            return terms
        first, second = (torch.stack([lab[:, pair[side]] for pair in pairs], 1) for side in (0, 1))
        alike = tk.patch_similarity(first.flatten(0, 1), second.flatten(0, 1))
        matches = tk.matches(alike).unflatten(0, first.shape[:2])  # (B, pairs, 9, h, w)
        cost, parts = tk.matched_sum(logits, matches[match.clip_of], boxes, pairs, tk_mean)
        if tk_mean == "released":
            terms |= {"tk": cost, "matches": parts.expand_as(cost)}
        else:
            terms["tk"] = cost / parts.clamp(min=1) * len(boxes) / objects
        if settings.beta:
            solver = "released" if settings.spectrum == "released" else "secular"
            pixels = tel.features(logits.flatten(0, 1), settings.scale)
            values = tel.spectra(pixels, settings.eigenvalues, solver)
            values = values.unflatten(0, logits.shape[:2])  # (L, M, T, Y)
            terms["tel"] = tel.eigenvalue_loss(values, pairs, _FLAVOUR[settings.change])
            if settings.change != "sum":  # of all sizes' objects, one mean
                terms["tel"] = terms["tel"] * (len(boxes) / max(instances, 1))
        return terms

    def _temporal(self, terms: Terms, step: Step) -> Terms:
        """(L, pairs) -> (L,): Eq. 14 or the scheme's sum, at its weight in this step."""
        sums = {name: terms[name].sum(1) for name in ("tk", "tel", "scheme") if name in terms}
        terms.pop("scheme", None)
        if "tel" in sums:
            cost = tel.temporal_loss(terms["tk"], terms["tel"], self.settings.beta)
        else:  # nothing: one frame, or no weight
            cost = sums.pop("scheme", sums.get("tk", torch.zeros_like(terms["class"])))
        warm_up = boxinst.warm_up(step.number, self.settings.warm_up_steps)
        return sums | {"temporal": self.settings.temporal_factor * warm_up * cost}

    def _scores(self, group: Group) -> Tensor:
        """Eq. 2's sum over clips. One of fewer than two objects scores 0: nothing to cluster."""
        settings, logits = self.settings, group.layers[-1].mask_logits
        several = {n: len(c.labels) for n, c in enumerate(group.clips) if len(c.labels) > 1}
        if not several:
            return logits.new_zeros(())
        points = qcc.feature_points(torch.stack([logits[n] for n in several]), settings.scale)
        kmeans = _FLAVOUR[settings.kmeans]
        return qcc.cluster_scores(points, list(several.values()), kmeans).sum()

    def _total(self, terms: Terms, quality: Tensor | float) -> Tensor:
        weighted = {name: w * terms[name].sum() for name, w in self.settings.weights.items()}
        classes = weighted.pop("class")
        if self.settings.q_scales == "everything":
            return quality * (classes + sum(weighted.values()))
        return classes + quality * sum(weighted.values())
