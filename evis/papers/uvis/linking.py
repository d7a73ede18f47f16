"""The positive control of what UVIS claims of its memory: is linking any question in these videos?

Trackers decide which query of a frame goes on as which of the next. If that every query keeps its
number is as good as MinVIS's links, no row says anything for or against a memory. The network is
the repository's own, which learnt from masks of stills; weights of the rows are not kept.
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
from evis.companion import paired, store
from evis.companion.held_out import HeldOut
from evis.companion.measured import HERE, Place, results
from evis.data import files, paths, toy
from evis.data.types import VISDataset
from evis.losses.tensors import resize
from evis.trackers import memory, minvis
from evis.trackers.windows import mask_ious

WEIGHTS = "toy_stage1_tiny_s.safetensors"


def unlinked(embeddings: Tensor) -> Tensor:
    """(T, Q, C) -> (T, Q) long: query 3 goes on as query 3."""
    return torch.arange(embeddings.shape[1]).repeat(len(embeddings), 1)


WAYS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "unlinked": unlinked,
    "MinVIS": minvis.link,
    "memory": memory.link,
}


def row(test: HeldOut, place: Place = HERE) -> store.ResultRow:
    """The stored row, or else measured; "per_video" is what MinVIS's links gain in mIoU."""

    def measure() -> dict[str, Any]:
        table = by_video(models.load(_weights()), test.dataset(), place.progress)
        gains = (table["MinVIS"] - table["unlinked"]).round(3)
        links = table["links"].sum()
        return {
            "links": links,
            "to another query": table["moved"].sum() / links,
            "otherwise by the memory": table["otherwise"].sum() / links,
            **{f"mIoU, {way}": table[way].mean() for way in WAYS},
            "per_video": [None if np.isnan(gain) else gain for gain in gains],
        }

    return store.measure(*_key(test), measure, folder=results(place.shelf))


def find(test: HeldOut, shelf: Path | None = None) -> store.ResultRow | None:
    return store.find(*_key(test), results(shelf))


def _key(test: HeldOut) -> tuple[dict[str, Any], str, int]:
    data = {test.toy_set: toy.SPECS[test.toy_set].hash}
    weights = files.digest(_weights())[:12]
    return {"name": "linking", "weights": weights, "data": data}, f"links in {test}", 0


def _weights() -> Path:
    return paths.data() / "weights" / WEIGHTS


@torch.no_grad()
def by_video(network: nn.Module, dataset: VISDataset, progress: bool = True) -> pd.DataFrame:
    """A row a video: its links, how many lead to another query, how many the memory sets otherwise;
    and in each way the mean over its objects of the IoU with the best track, NaN without objects.
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
        for way, own in links.items():
            best = mask_ious(true, minvis.follow(own, masks).transpose(0, 1)).max(1).values
            line[way] = float(best.mean()) if len(best) else np.nan
        lines.append(line)
    return pd.DataFrame(lines).set_index("video")


def no_question(test: HeldOut, shelf: Path | None = None) -> str:
    """Why these videos can't judge a claim on a tracker, in words; none where they can."""
    found = find(test, shelf)
    if found is None:
        return "whether linking is a question in these videos is not measured yet"
    low, high = paired.interval([100 * gain for gain in found.per_video if gain is not None])
    if low > 0:
        return ""
    mious = ", ".join(f"{100 * found.metrics[f'mIoU, {way}']:.1f} {way}" for way in WAYS)
    return (
        f"linking is no question in {test.toy_set}: of a network's queries, "
        f"{found.metrics['to another query']:.1%} of the links lead to another one, and what that "
        f"gains in mIoU is [{low:+.2f}, {high:+.2f}] ({mious})"
    )
