"""How good the stand-ins are on validation stills, in numbers that decide which is the default.

Features are judged by the masks that MaskCut makes of them, masks from boxes by how well they fit
their objects, names by how many objects get their own. No stand-in was trained on these pictures,
and none was chosen by them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evis.companion import store
from evis.data import files, per_video, toy
from evis.data.types import VISDataset
from evis.foundation import clip, stand_in, toy_clip
from evis.labels import names, videos
from evis.metrics import ytvis

FEATURES = ("colour", "toy_dino")
OF_BOXES = ("ellipse", "grabcut", "toy_sam")
STILLS, VIDEOS = ("toy-coco", 300), ("toy-ytvis19", 100)  # how many of each, of seed 1
FOUND = 0.5  # IoU from which on an object counts as found
SCORES = ("AP", "AP50", "AP75", "AR10")


def held_out(name: str, number: int) -> VISDataset:
    return toy.sample(name, number, seed=1, split="valid")


def masks_key(features: str) -> tuple[dict[str, Any], str, int]:
    """What the row of MaskCut's masks of these features, outlined by CRF, is found by."""
    recipe = {"name": "masks without labels", **per_video.content(videos.Cuts(features))}
    return recipe | _made_by(features), _words(*STILLS), 0


def masks_row(features: str, recompute: bool = False, progress: bool = True) -> store.ResultRow:
    """The stored row, or a new one."""

    def measure() -> Mapping[str, float]:
        return mask_scores(held_out(*STILLS), videos.Cuts(features), progress)

    return store.measure(*masks_key(features), measure, recompute)


def boxes_row(by: str, recompute: bool = False, progress: bool = True) -> store.ResultRow:
    """The stored row of masks from the objects' true boxes, or a new one."""
    recipe = {"name": "masks from boxes", **per_video.content(videos.Boxes(by))} | _made_by(by)

    def measure() -> Mapping[str, float]:
        return mask_scores(held_out(*STILLS), videos.Boxes(by), progress)

    return store.measure(recipe, _words(*STILLS), 0, measure, recompute)


def names_row(recompute: bool = False) -> store.ResultRow:
    """The stored row of toy_clip's names for objects of stills and of videos, or a new one."""
    recipe = {"name": "names without boxes"} | _made_by("toy_clip")
    recipe["data"] |= {VIDEOS[0]: toy.SPECS[VIDEOS[0]].hash}

    def measure() -> Mapping[str, float]:
        model, found = toy_clip.load(), {}
        for of in (STILLS, VIDEOS):
            scores = name_scores(held_out(*of), model)
            found |= {f"{of[0]}: {name}": value for name, value in scores.items()}
        return found

    return store.measure(recipe, f"{_words(*STILLS)}, {_words(*VIDEOS)}", 0, measure, recompute)


def mask_scores(
    dataset: VISDataset, labeller: videos.Labeller, progress: bool = True
) -> dict[str, float]:
    """Class-agnostic AP of masks that all score 1, the share of objects found, and mIoU."""
    labelled = videos.make(dataset, labeller, progress=progress)
    stats = ytvis.evaluate(dataset, labelled, class_agnostic=True, progress=progress).stats
    ious = ytvis.object_ious(dataset, labelled, progress=False)["iou"]
    found = {"found": float((ious > FOUND).mean()), "mIoU": float(ious.mean())}
    return {name: stats[name] for name in SCORES} | found


def name_scores(dataset: VISDataset, model: toy_clip.ToyClip) -> dict[str, float]:
    """Of the objects of a data set, cut out by their boxes where most is seen of them: the share
    that gets its own name; that of those whose name the model knows; of the most frequent class.
    """
    ids = list(dataset.category_names)
    crops, wanted = objects(dataset)
    texts = model.texts(list(dataset.category_names.values()))
    called, _ = names.name(model.images(crops), texts, model.scale)
    right = np.array(ids)[called] == wanted
    known = [id_ for id_, name in dataset.category_names.items() if model.knows(name)]
    return {
        "objects": len(wanted),
        "accuracy": float(right.mean()),
        "accuracy of known names": float(right[np.isin(wanted, known)].mean()),
        "most frequent class": float(np.unique(wanted, return_counts=True)[1].max() / len(wanted)),
    }


def objects(dataset: VISDataset) -> tuple[list[np.ndarray], np.ndarray]:
    """A crop of each track, from the frame that shows most of it, and their category ids."""
    crops: list[np.ndarray] = []
    for track in dataset.tracks:
        frame = int(np.argmax([area or 0 for area in track.areas]))
        crops += clip.crops(dataset.frame(track.video_id, frame), [track.boxes[frame]])
    return crops, np.array([track.category_id for track in dataset.tracks])


def _made_by(name: str) -> dict[str, Any]:
    weights = stand_in.committed(name)
    digest = files.digest(weights)[:12] if weights.exists() else None
    return {"weights": digest, "data": {STILLS[0]: toy.SPECS[STILLS[0]].hash}}


def _words(name: str, number: int) -> str:
    return f"{name} validation {number} seed 1"


def default(rows: Mapping[str, store.ResultRow]) -> str:
    """Of features by name: those whose masks have the higher class-agnostic AP."""
    return max(rows, key=lambda name: rows[name].metrics["AP"])
