"""The positive control of what UVIS claims of its memory: could better links win anything here?

Trackers decide which query of a frame goes on as which of the next. What a memory can win is at
most what the best links have over MinVIS's, whatever MinVIS's are worth. Where that is less than
the 0.4 AP that the paper prints for its memory, no row says anything for or against one.

True masks are read for the best links, as they are for any score, and no row learns from them. The
networks are the repository's own, one a kind of labels: what UVIS's recipe learnt from guessed
labels of `toy-ytvis19`, and what stage one learnt from masks of stills.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from evis import models
from evis.companion import store
from evis.companion.held_out import HeldOut
from evis.companion.measured import HERE, Place, results
from evis.data import files, paths, toy
from evis.data.types import VISDataset
from evis.losses.tensors import resize
from evis.trackers import memory, minvis
from evis.trackers.windows import mask_ious

WEIGHTS = {"UVIS": "toy_uvis_tiny_s.safetensors", "MinVIS": "toy_stage1_tiny_s.safetensors"}
BEST = "best"
LEAST = 0.4  # points: of AP in Table 4's brackets and in 4.3, here of mIoU


def unlinked(embeddings: Tensor) -> Tensor:
    """(T, Q, C) -> (T, Q) long: query 3 goes on as query 3."""
    return torch.arange(embeddings.shape[1]).repeat(len(embeddings), 1)


WAYS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "unlinked": unlinked,
    "MinVIS": minvis.link,
    "memory": memory.link,
}


def row(network: str, test: HeldOut, place: Place = HERE) -> store.ResultRow:
    """The stored row, or else measured; "per_video" is what MinVIS's links gain over none."""

    def measure() -> dict[str, Any]:
        table = by_video(models.load(weights(network)), test.dataset(), place.progress)
        gains = (table["MinVIS"] - table["unlinked"]).round(3)
        links = table["links"].sum()
        return {
            "links": links,
            "to another query": table["moved"].sum() / links,
            "otherwise by the memory": table["otherwise"].sum() / links,
            **{f"mIoU, {way}": table[way].mean() for way in (*WAYS, BEST)},
            "per_video": [None if np.isnan(gain) else gain for gain in gains],
        }

    return store.measure(*_key(network, test), measure, folder=results(place.shelf))


def find(network: str, test: HeldOut, shelf: Path | None = None) -> store.ResultRow | None:
    return store.find(*_key(network, test), results(shelf))


def _key(network: str, test: HeldOut) -> tuple[dict[str, Any], str, int]:
    data = {test.toy_set: toy.SPECS[test.toy_set].hash}
    own = files.digest(weights(network))[:12]
    recipe = {"name": f"linking, {network}", "weights": own, "data": data, "ways": [*WAYS, BEST]}
    return recipe, f"links in {test}", 0


def weights(network: str) -> Path:
    return paths.data() / "weights" / WEIGHTS[network]


@torch.no_grad()
def by_video(network: nn.Module, dataset: VISDataset, progress: bool = True) -> pd.DataFrame:
    """A row a video: its links, how many lead to another query, how many the memory sets otherwise;
    and in each way, and by the best links, the mean over its objects of the IoU with the best
    track, NaN without objects.
    """
    lines = []
    for video in tqdm(dataset.videos, "link", unit="video", disable=not progress):
        frames = np.stack([dataset.frame(video.id, t) for t in range(video.length)])
        seen = network(torch.from_numpy(frames).permute(0, 3, 1, 2)[:, None].float())
        masks = resize(seen.mask_logits[:, :, 0], (video.height, video.width)) > 0  # (T, Q, h, w)
        links = {way: link(seen.embeddings) for way, link in WAYS.items()}
        line = {
            "video": video.id,
            "links": links["MinVIS"][1:].numel(),
            "moved": int((links["MinVIS"] != links["unlinked"]).sum()),
            "otherwise": int((links["MinVIS"] != links["memory"]).sum()),
        }
        true = torch.from_numpy(dataset.mask_stack(video.id))  # (N, T, h, w)
        ious = {
            way: mask_ious(true, minvis.follow(own, masks).transpose(0, 1)).max(1).values
            for way, own in links.items()
        }
        ious[BEST] = best_ious(true, masks)
        lines.append(line | {way: float(own.mean()) for way, own in ious.items()})
    return pd.DataFrame(lines).set_index("video")


def best_ious(true: Tensor, masks: Tensor) -> Tensor:
    """(N, T, h, w), (T, Q, h, w) bool -> (N,): the highest IoU that any links could give an object.

    Of a track with an IoU of r, another query in a frame makes it higher if what it shares with the
    object less r times what either covers is more (Dinkelbach's way to the best ratio of sums).
    """
    of_objects, of_queries = true.flatten(2).float(), masks.flatten(2).float()
    both = torch.einsum("ntp,tqp->ntq", of_objects, of_queries)
    either = of_objects.sum(-1)[..., None] + of_queries.sum(-1) - both
    ious, better = both.new_zeros(len(both)), True
    while better:
        chosen = (both - ious[:, None, None] * either).argmax(-1, keepdim=True)
        shared, covered = (counts.gather(-1, chosen).sum((1, 2)) for counts in (both, either))
        before, ious = ious, torch.maximum(ious, shared / covered.clamp(min=1))
        better = bool((ious > before).any())
    return ious


def no_question(network: str, test: HeldOut, shelf: Path | None = None) -> str:
    """Why these videos can't judge a claim on a tracker, in words; none where they can."""
    found = find(network, test, shelf)
    if found is None:
        return f"what better links could win in {test.toy_set} is not measured yet"
    if headroom(found) >= LEAST:
        return ""
    return (
        f"linking is no question in {test.toy_set}: over MinVIS's links, the best that there are "
        f"would win {headroom(found):.2f} mIoU, less than {LEAST} ({told(found)})"
    )


def headroom(found: store.ResultRow) -> float:
    """What the best links have over MinVIS's, in points of mIoU."""
    return 100 * (found.metrics[f"mIoU, {BEST}"] - found.metrics["mIoU, MinVIS"])


def told(found: store.ResultRow) -> str:
    """The mIoU of each way, in words."""
    return ", ".join(f"{100 * found.metrics[f'mIoU, {way}']:.1f} {way}" for way in (*WAYS, BEST))
