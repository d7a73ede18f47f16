"""Claims of UVIS that need no training row; claims.toml names these functions."""

import numpy as np

from evis.companion.claims import CONTRADICTED, HOLDS, Finding
from evis.foundation.clip import EXAMPLE
from evis.labels.names import SCALE
from evis.papers.uvis.recipes import named


def no_annotation() -> Finding:
    """By the recipe: what a stage may learn from, and what its backbone starts from."""
    stage = named("uvis")
    words = f"the stage learns at the level {stage.supervision!r}, from {stage.init}'s class labels"
    return Finding(HOLDS if stage.supervision == "none" else CONTRADICTED, words)


def clip_score_as_cosine() -> Finding:
    """With CLIP's temperature, a lead of a few hundredths over another name is a score of 0.7."""
    lead = np.log(0.7 / 0.3) / SCALE
    words = (
        f"as a softmax over names, yes: of two names, a cosine that is {lead:.4f} higher has 0.7; "
        f"as the plain product of Eq. 1, no picture and text of {EXAMPLE} come near it"
    )
    return Finding(HOLDS, words)
