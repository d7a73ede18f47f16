"""The measured rows of the lead paper's tables at toy scale, as data.

To add a row, write it into its group of `ROWS`: its name, and its stages, each a recipe and what it
has otherwise than the paper's. A size of the tiny model stands for each of the paper's backbones.
Stage one is trained once a size and shared by all of its rows, as the paper's stages two and three
go on from one checkpoint; a row's seed is that of its later stages. Ablations are measured on the
smallest size, as in the paper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from evis.companion import measured
from evis.companion.measured import Experiment
from evis.data.errors import DataError
from evis.papers.eigencluster import method
from evis.papers.eigencluster.beyond import FIRST_ROUND, SECOND_ROUND
from evis.papers.eigencluster.recipes import BACKBONES, changed, named, toy
from evis.papers.eigencluster.temporal import SCHEMES

SIZES = dict(zip(BACKBONES, ("tiny_s", "tiny", "tiny_l"), strict=True))  # what stands for what
SEEDS = measured.SEEDS
SEARCH_SEEDS = (100, 101)  # of the groups "beyond"

Changes = Mapping[str, Any]  # as `evis.training.changed` takes them
Stages = Sequence[tuple[str, Changes]]

TK, CONTROL, TEL, QCC, BOTH = "TK", "more steps", "TEL", "QCC", "TEL + QCC"
THREE = "eigencluster.stage3"
PLAIN = {"settings.alpha": 0, "settings.beta": 0}  # neither TEL nor QCC
AT_ONCE = {"settings.warm_up_steps": 0}
TEN_TIMES = {"settings.temporal_factor": 1.0}
RELEASED = {"settings.flavour": "released"}
ONE, TWO = ("eigencluster.stage1", {}), ("eigencluster.stage2", {})
TWO_RELEASED = ("eigencluster.stage2", RELEASED)


def _three(changes: Changes) -> Stages:
    return ONE, TWO, (THREE, changes)


ROWS: dict[str, dict[str, Stages]] = {
    # Table I: what one size of the model learns from masks, from boxes, and with each term.
    "comparison": {
        "stage one only": (ONE,),
        "masks": (ONE, ("mask2former", {})),
        "boxes": (ONE, ("boxinst", {})),
        TK: (ONE, TWO),
        CONTROL: _three(PLAIN),
        BOTH: _three({}),
    },
    # Table III, with each part alone. Its other rows are in "comparison".
    "components": {
        TEL: _three({"settings.alpha": 0}),
        QCC: _three({"settings.beta": 0}),
    },
    # Table IV. Y = 3 is in "comparison".
    "eigenvalues": {
        "Y = 2": _three({"settings.eigenvalues": 2}),
        "Y = 4": _three({"settings.eigenvalues": 4}),
    },
    # The temporal term at full strength from the first step, as in the text. All other rows raise
    # it over the first 100 of 150 steps (`recipes.TOY`).
    "at once": {
        f"{CONTROL}, at once": _three(PLAIN | AT_ONCE),
        f"{TEL}, at once": _three({"settings.alpha": 0} | AT_ONCE),
        f"{BOTH}, at once": _three(AT_ONCE),
    },
    # Constants in place of what TEL and QCC multiply by: the order of their mean in training.
    "placebos": {
        "TK x 100": _three(PLAIN | {"settings.temporal_factor": 10.0}),
        "loss x 1.4": _three(PLAIN | {"settings.mask_weight": 7.0, "settings.dice_weight": 7.0}),
    },
    # Stages two and three with the released code's loss. Schedules and data are as elsewhere.
    "released": {
        f"{TK}, released": (ONE, TWO_RELEASED),
        f"{CONTROL}, released": (ONE, TWO_RELEASED, (THREE, PLAIN | RELEASED)),
        f"{BOTH}, released": (ONE, TWO_RELEASED, (THREE, RELEASED)),
    },
    # What the paper leaves out: other values of beta and S.
    "unreported": {
        "beta = 1": _three({"settings.beta": 1}),
        "S = 2": _three({"settings.scale": 2}),
        "S = 8": _three({"settings.scale": 8}),
    },
    # Table II: what takes TK's place in stage two. "Baseline (No Matching)" is "boxes". A scheme's
    # value is the mean over its matches, as in the released TK, for all of them.
    "schemes": {
        name: (ONE, ("eigencluster.stage2", {"scheme": name})) for name in list(SCHEMES)[1:]
    },
    # Our own variants, in TK's and TEL's place. Searched on `SEARCH_SEEDS` and the validation
    # videos, reported on `SEEDS` and the test. "x 10": with ten times the weight.
    "beyond": {name: _three(PLAIN | {"scheme": name}) for name in FIRST_ROUND}
    | {
        "TEL as a loss, x 10": _three(PLAIN | {"scheme": "TEL as a loss"} | TEN_TIMES),
        "soft QCC": _three({"settings.beta": 0, "settings.soft_qcc": True}),
    },
    # A second round, after Table II's rows: what did better there than TK.
    "beyond again": {name: _three(PLAIN | {"scheme": name}) for name in SECOND_ROUND}
    | {"3D pairwise x 10": _three(PLAIN | {"scheme": "3D pairwise"} | TEN_TIMES)},
    # TK as the schemes of "beyond" have it, which are means over matches: Eq. 12 divides by all
    # pixels. So a variant can be told from its divisor.
    "beyond control": {
        "TK over its matches": _three(PLAIN | {"scheme": "Temporal KNN-Matching (TK)"})
    },
}
# The second regime: no stage one, so that boxes see no mask of any kind.
ROWS["from nothing"] = {
    f"{name}, no stage one": stages[1:]
    for name, stages in ROWS["comparison"].items()
    if len(stages) > 1
}


def _rows(group: str, size: str) -> dict[str, Experiment]:
    """A row's first stage starts from nothing, stage one is shared, and beta is R50's at any size,
    since these differ by less than the backbones do.
    """
    experiments = {}
    for name, stages in ROWS[group].items():
        first, *others = (
            changed(toy(named(stage)), {"model": size} | changes) for stage, changes in stages
        )
        recipes = replace(first, init=None), *others
        experiments[name] = Experiment(name, recipes, method, shared=int(stages[0] == ONE))
    return experiments


GROUPS: dict[str, Callable[[str], dict[str, Experiment]]] = {
    name: partial(_rows, name) for name in ROWS
}  # size -> the rows by name


def group(name: str, size: str) -> dict[str, Experiment]:
    if name not in GROUPS:
        raise DataError(
            f"no group of experiments is called {name!r}", remedy=f"There are {', '.join(GROUPS)}"
        )
    if size not in SIZES.values():
        raise DataError(
            f"no experiment is made at size {size!r}", remedy=f"Sizes: {', '.join(SIZES.values())}"
        )
    return GROUPS[name](size)


comparison, from_nothing = GROUPS["comparison"], GROUPS["from nothing"]
