"""Our search over variants (`beyond`): what each gains, which the rule chooses, what that is worth.

The rule looks at the search's seeds and validation videos alone; the judgement at others.
"""

from collections.abc import Sequence

import pandas as pd

from evis.companion import paired
from evis.papers.eigencluster.experiments import BOTH, CONTROL


def gains_over(table: pd.DataFrame, variants: Sequence[str], baseline: str) -> pd.DataFrame:
    """AP above the baseline, a column a seed, and the mean; worst first, so the choice is last.

    Without lines where the baseline, or every variant, is not measured.
    """
    scores = table.pivot(index="row", columns="seed", values="AP")
    of_variants = scores.loc[scores.index.intersection(list(variants))]
    gains = of_variants.sub(scores.reindex([baseline]).loc[baseline]).dropna()
    gains["mean"] = gains.mean(axis=1)
    return gains.sort_values("mean").rename_axis(columns=None)


def best(gains: pd.DataFrame) -> str | None:
    """The variant with the highest mean of `gains_over`; None where nothing is measured."""
    return None if gains.empty else gains.index[-1]


def judgement(table: pd.DataFrame, row: str | None) -> list[str]:
    """In sentences, what a row gains on the published method and on its control.

    row: a variant, or what `best` says where there is none.
    """
    if row is None:
        return ["No variant is chosen: none is measured on the search's seeds and videos yet."]
    if row not in set(table["row"]):
        return [f"{row} is not measured on these videos yet."]
    gains = {against: paired.difference(table, row, against) for against in (BOTH, CONTROL)}
    lines = [
        f"{row}: {gain} AP over {against}: {paired.outcome(gain)}."
        for against, gain in gains.items()
    ]
    beats = all(paired.outcome(gain) == "higher" for gain in gains.values())
    verb = "beats" if beats else "is not shown to beat"
    return [*lines, f"It {verb} our toy rows of the published method and of its control."]
