"""Claims of UVIS that need no training row; claims.toml names these functions."""

from evis.companion import formulas, published
from evis.companion.claims import CONTRADICTED, HOLDS, Finding
from evis.papers.uvis.experiments import DETECTOR
from evis.papers.uvis.recipes import named


def no_annotation() -> Finding:
    """By the recipes: what the stage and its detector's may learn from, and what it starts from."""
    stage, before = named("uvis"), DETECTOR.experiment.stages
    clean = {of.supervision for of in (stage, *before)} == {"none"}
    words = (
        f"the stage learns at the level {stage.supervision!r}, from {stage.init}'s class labels, "
        f"and so do its detector's {len(before)}, from nothing; thresholds, and the detector's "
        "round, were chosen on validation videos and stills with true labels"
    )
    return Finding(HOLDS if clean and before[0].init is None else CONTRADICTED, words)


def same_gain() -> Finding:
    """By the printed cells of Table 4, to their digit."""
    gains = []
    for row in (1, 2, 3, 4):
        formula = f"[uvis/4/{row}/AP (+Tracking Memory)] - [uvis/4/{row}/AP]"
        gains.append(round(formulas.evaluate(formula, published.tables()).value, 1))
    words = "{} AP on YouTube-VIS 2019, {} on OVIS; with masks for labels {} and {}".format(*gains)
    return Finding(HOLDS if gains[0] == gains[1] else CONTRADICTED, words)
