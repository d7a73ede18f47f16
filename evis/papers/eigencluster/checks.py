"""Claims of Eigen-Cluster VIS that need no training row: each is computed here, from its formulas,
the recipes, committed weights or a stored benchmark. claims.toml names these functions.
"""

from functools import cache

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.companion import paired, published, store
from evis.companion.claims import CANNOT_TELL, CONTRADICTED, HOLDS, UNMEASURED, Finding
from evis.criterion.targets import fill_boxes
from evis.data import paths, toy
from evis.data.clips import Clip
from evis.losses import boxinst, tel
from evis.losses.neighbours import RING, shifted
from evis.losses.qcc import feature_points, kmeans, quality_cluster_coefficient
from evis.losses.tensors import resize
from evis.models import VideoMask2Former, load
from evis.models import named as model_named
from evis.papers.eigencluster import clip_terms, evidence, one_batch
from evis.papers.eigencluster.clip_terms import Predicted
from evis.papers.eigencluster.recipes import named
from evis.papers.eigencluster.temporal import SCHEMES
from evis.training.batches import admit

BURDEN = 0.1  # of a training step: ours, as the paper names no limit
MEASURES = 0.3  # of rank correlations, those of a measure: ours
_VIDEOS = 60
_SCALE = 4  # S
_STAGES = tuple(f"eigencluster.stage{number}" for number in (1, 2, 3))


def _found(holds: bool, words: str) -> Finding:
    return Finding(HOLDS if holds else CONTRADICTED, words)


def no_mask_at_all() -> Finding:
    """By the recipes, and by Table I's own column."""
    learned = [name for name in _STAGES if named(name).settings.supervision == "mask"]
    cells = published.tables("eigen-cluster-vis", 1)
    own = cells[(cells.method == "Eigen-Cluster VIS") & (cells.metric == "Mask ann.")]
    marked = ", ".join(own.as_printed.unique())
    stages = f"{learned[0]} learns from masks of pictures" if learned else "no stage reads a mask"
    found = f"{stages}; Table I marks the method {marked}; rows without stage one need no mask"
    return _found(not learned, found)


def no_video_mask() -> Finding:
    videos = {"videos": toy.sample("toy-ytvis19", 2)}
    recipes = [named(name) for name in _STAGES[1:]]
    tracks = [t for recipe in recipes for t in admit(recipe, videos)["videos"].tracks]
    masks = sum(track.masks is not None for track in tracks)
    found = f"stages two and three are given {len(tracks)} tracks of two videos, {masks} with masks"
    return _found(masks == 0, found)


def no_parameters() -> Finding:
    counts = {}
    for size in ("tiny_s", "r50"):
        with torch.device("meta"):
            counts[size] = _trainable(VideoMask2Former(model_named(size, 40)))
    scheme = SCHEMES["Temporal EigenValue + TK"]()
    added = _trainable(scheme) if isinstance(scheme, nn.Module) else 0
    found = f"TEL and QCC bring {added}; {counts['tiny_s']:,} in tiny_s, {counts['r50']:,} with R50"
    return _found(added == 0, found)


def _trainable(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def tel_is_no_burden() -> Finding:
    return _cost("added by TEL")


def both_are_efficient() -> Finding:
    return _cost("added by TEL + QCC")


def _cost(metric: str) -> Finding:
    recipe = {"name": "benchmark criterion cost", "model": "tiny", "batch": 8}
    row = store.find(recipe, "toy-ytvis19", 0)
    if row is None:
        return Finding(UNMEASURED, "run python benchmarks/criterion_cost.py --store")
    share = row.metrics[metric]
    found = f"{100 * share:.1f}% of a toy training step, on a CPU, with evis's exact TEL"
    return _found(share < BURDEN, f"{found}; the limit of {BURDEN:.0%} is ours")


def _disc(radius: float = 6.0, centre: float = 12.3) -> Tensor:
    """(32, 48) logits: the distance to the outline of a disc, in pixels."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(48.0), indexing="ij")
    return radius - torch.hypot(y - 16.2, x - centre)


def spectrum_sees_space() -> Finding:
    """Whether the eigenvalues change when all pixels change places."""
    disc = _disc().double()
    order = torch.randperm(disc.numel(), generator=torch.Generator().manual_seed(0))
    shuffled = disc.flatten()[order].reshape(disc.shape)
    values = tel.eigenvalues(torch.stack((disc, shuffled))[None], count=8, scale=1)[0]
    change = float((values[0] - values[1]).abs().max() / values[0].max())
    found = "a disc and the same pixels shuffled have the same spectrum: Eq. 5 knows no position"
    return _found(change > 1e-6, found if change <= 1e-6 else f"shuffling changes it by {change}")


def fiedler_value_sees_pieces() -> Finding:
    """Whether lambda_2, as Eqs. 5-8 give it, tells a mask of one piece from one of two."""
    masks = torch.stack((_disc(), torch.maximum(_disc(), _disc(centre=27.3)))).double()
    values = tel.eigenvalues(masks[None], count=2, scale=1)[0, :, 1]
    if bool((values > 1e-9 * masks.abs().max() ** 2).any()):
        return _found(True, f"{values[0]:.3g} for one piece, {values[1]:.3g} for two")
    found = "0 for one piece and 0 for two: the pixels above and below 0 are never joined"
    return _found(False, found)


def fiedler_value_is_connectivity() -> Finding:
    """Whether lambda_2 is 0 where the graph falls apart, and only there."""
    parts, one = _disc(), _disc() - 2 * _disc().amax()  # logits of both signs, and of one
    values = tel.eigenvalues(torch.stack((parts, one)).double()[None], count=2, scale=1)[0, :, 1]
    apart = float(values[0]) < 1e-9 * float(values[1])
    return _found(
        apart, "0 where logits of both signs make two parts, above 0 where all are joined"
    )


def closeness_is_coherence() -> Finding:
    """Whether eigenvalues are farther apart for a mask that jumps than for one that grows."""
    disc, larger = _disc(6.0), _disc(7.0)
    jump, grow = torch.stack((disc, disc.roll(20, -1))), torch.stack((disc, larger))
    values = tel.eigenvalues(torch.stack((jump, grow)).double(), scale=1)
    apart = [float(tel.eigenvalue_loss(of_one[None], [(0, 1)])) for of_one in values]
    found = f"L_eig: {apart[0]:.0f} for a disc that jumps, {apart[1]:.0f} for one that grows by 1/6"
    return _found(apart[0] > apart[1], found)


def coherence_needs_closeness() -> Finding:
    """Whether a mask that stays as it is keeps its eigenvalues, while the network gets surer."""
    logits = torch.stack((_disc(), 1.5 * _disc())).double()
    values = tel.eigenvalues(logits[None], scale=1)[0]
    change = float((values[1] - values[0]).abs().max() / values[0].max())
    found = f"the same outline, its logits 1.5 times as large: eigenvalues {1 + change:.2f} times"
    return _found(change < 0.01, found)


def psi_grows_with_tel() -> Finding:
    tk = torch.full((5,), 0.5, requires_grad=True)
    eigenvalue = torch.arange(5.0)
    value = tel.psi(tk, eigenvalue, beta=0.16)
    (gradient,) = torch.autograd.grad(value.sum(), tk)
    grows = all(bool((of.diff() > 0).all()) for of in (value.detach(), gradient))
    return _found(grows, "psi and its gradient rise by beta for each unit of L_eig (Eq. 13)")


def q_tells_clusters_apart() -> Finding:
    """Q of two clouds, from the features and K alone: no mask is passed."""
    side = torch.arange(24)[None, :].expand(16, 24) < 12  # (16, 24)
    noise = torch.randn(1, 4, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    clouds = (noise + gap * side for gap in (1.0, 8.0))
    near, far = (float(quality_cluster_coefficient(cloud, [2], scale=1)) for cloud in clouds)
    return _found(far < near, f"Q is {near:.1f} where clusters overlap, {far:.1f} where they don't")


def similar_colours_share_a_mask() -> Finding:
    """Pixels in boxes and their neighbours at BoxInst's distance, in toy frames."""
    alike, together = [], []
    for clip in one_batch.clips_of(toy.sample("toy-ytvis19", _VIDEOS)):
        masks = F.avg_pool2d(clip.masks.float(), 4) > 0.5  # (N, T, h, w), at the logits' size
        boxes = fill_boxes(clip.boxes, clip.visible, tuple(clip.frames.shape[-2:]))
        in_box = resize(boxes, masks.shape[-2:]).any(0).unsqueeze(1)  # (T, 1, h, w)
        numbers = torch.arange(len(masks)).view(-1, 1, 1, 1) + 2
        labels = (masks * numbers).amax(0).clamp_min(1)  # (T, h, w); 1 is background, 0 is outside
        neighbours = torch.stack(shifted(labels, 2, RING), 1)  # (T, 8, h, w)
        counted = in_box & (neighbours > 0)
        similar = boxinst.color_similarity(boxinst.lab(clip.frames, 4, "paper")) >= 0.3
        alike.append(similar[counted])
        together.append((neighbours == labels.unsqueeze(1))[counted])
    alike, together = torch.cat(alike), torch.cat(together)
    similar, other = (100 * float(together[of].float().mean()) for of in (alike, ~alike))
    found = (
        f"{similar:.1f}% of similar neighbours in boxes share a mask, {other:.0f}% of the others"
    )
    return _found(similar > 50, f"{found} (in toy frames, which evis drew)")


def l_eig_measures_change() -> Finding:
    """Whether L_eig ranks pairs of frames as they deform a mask that is right in both.

    That is what III-B names, and what is left where shift, turn and growth are taken out.
    """
    moving = evidence.moving().groupby("where")
    found = {name: evidence.correlation(own, "deformation", "L_eig") for name, own in moving}
    found = pd.DataFrame(found).T.astype(float)
    verdict = CONTRADICTED if found["high"].max() < MEASURES else CANNOT_TELL
    verdict = HOLDS if found["low"].min() > MEASURES else verdict
    told = ", ".join(
        f"{of.mean:+.1f} [{of.low:+.1f}, {of.high:+.1f}] on {of.Index} clips"
        for of in (found.round(1) + 0.0).itertuples()
    )
    words = f"rank correlation with deformation {told}; at least {MEASURES} is asked, which is ours"
    return Finding(verdict, words)


def clusters_part_instances() -> Finding:
    """Of two pixels of different objects, how often K-means puts them into different clusters.

    "holds" where that is more often than a coin would; the limit is ours.
    """
    shares = [_parted(one) for one in _predicted()]
    apart = paired.Difference(tuple(share - 0.5 for share in shares if share is not None))
    mean, low, high = (100 * (value + 0.5) for value in (apart.mean, *apart.interval))
    text = (
        f"{mean:.0f}% [{low:.0f}, {high:.0f}] of pairs of pixels of two objects are in two "
        f"clusters, over {apart.seeds} clips; one training; a coin would part 50%"
    )
    return Finding(paired.verdict(apart), text)


def _parted(of: Predicted) -> float | None:
    """None where fewer than two objects fill a pixel of the resized clip."""
    points, objects = feature_points(of.mask_logits, _SCALE), len(of.clip.labels)
    clusters = kmeans(points, [objects])[0][0]  # (T * h' * w',)
    masks = F.avg_pool2d(of.clip.masks.float(), of.stride * _SCALE) > 0.5  # (N, T, h', w')
    counts = masks.flatten(1).float() @ F.one_hot(clusters, objects).float()  # (N, K)
    pairs = counts.sum() ** 2 - counts.sum(1).square().sum()  # of pixels of two objects, twice
    together = counts.sum(0).square().sum() - counts.square().sum()
    return float(1 - together / pairs) if pairs else None


def q_differs_between_clips() -> Finding:
    low, high = np.quantile([clip_terms.quality(one) for one in _predicted()], [0.05, 0.95])
    alone = 100 * np.mean([len(clip.labels) < 2 for clip in _held_out()])
    several = f"Q {low:.1f} to {high:.1f} (5 to 95%) for clips of several objects"
    words = f"{several}, 1 for the {alone:.0f}% with one; it scales patch and clip terms alike"
    return _found(high > low, words)


def _held_out() -> list[Clip]:
    dataset = toy.sample("toy-ytvis19", _VIDEOS, seed=2, split="valid")
    return list(one_batch.clips_of(dataset))


@cache
def _predicted() -> list[Predicted]:
    """Held-out clips of several objects, by the committed weights of stage three."""
    model = load(paths.data() / "weights" / "toy_eigencluster_tiny_s.safetensors")
    return clip_terms.predict(model, [clip for clip in _held_out() if len(clip.labels) > 1])
