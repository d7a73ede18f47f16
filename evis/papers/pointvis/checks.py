"""Claims of PointVIS that need no training row; claims.toml names these functions."""

import numpy as np

from evis.companion import formulas, published
from evis.companion.claims import CONTRADICTED, HOLDS, Finding
from evis.data import toy
from evis.data.supervision import P1, weaken
from evis.labels import points

VIDEOS = 4  # of the most crowded toy set


def positions_as_printed() -> Finding:
    """By Table 3, whose two effects the sentence compares."""
    positives = _printed("[pointvis/3/2/AP] - [pointvis/3/1/AP]")
    negatives = _printed("[pointvis/3/3/AP] - [pointvis/3/4/AP]")
    words = f"as printed, {positives:.1f} AP for positives and {negatives:.1f} for negatives"
    return Finding(HOLDS if negatives > positives else CONTRADICTED, words)


def maskness_as_printed() -> Finding:
    """Of a large mask that is barely one, and a small one that is sure."""
    both = np.zeros((2, 1, 10, 10))
    both[0], both[1, 0, 0, 0] = 0.51, 0.99
    (as_vague, as_sure), cited = (points.maskness(both, how) for how in ("paper", "cited"))
    words = (
        f"as printed, a mean over all pixels: {as_vague:.2f} for a mask of all pixels at 0.51, "
        f"{as_sure:.2f} for one sure pixel of a hundred; as its citation defines it, "
        f"{cited[0]:.2f} and {cited[1]:.2f}"
    )
    return Finding(HOLDS if as_sure > as_vague else CONTRADICTED, words)


def others_clicks() -> Finding:
    """In annotated masks, which share no pixel: on the most crowded toy set."""
    given = toy.sample("toy-ovis", VIDEOS)
    clicked = weaken(given, "point", P1)
    on_others = clicks = 0
    for video in given.videos:
        masks = given.mask_stack(video.id)
        for owner, of_object in enumerate(points.clicks_of(clicked, video.id)):
            for frame, x, y, _ in of_object:
                clicks += 1
                on_others += np.delete(masks[:, frame, y, x], owner).any()
    words = f"of {clicks} clicks in {VIDEOS} videos of toy-ovis, {on_others} lie on a second object"
    return Finding(CONTRADICTED if on_others else HOLDS, words)


def _printed(formula: str) -> float:
    return round(formulas.evaluate(formula, published.tables("pointvis")).value, 2)
