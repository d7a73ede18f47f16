"""The measured rows of the lead paper's tables at toy scale, as data: stages, one after another.

A size of the tiny model stands for each of the paper's backbones. Stage one is trained once a size
and shared by all of its rows, as the paper's stages two and three go on from one checkpoint; a
row's seed is that of its later stages. Ablations are measured on the smallest size, as in the
paper.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evis.data.errors import DataError
from evis.papers.eigencluster.beyond import FIRST_ROUND, SECOND_ROUND
from evis.papers.eigencluster.temporal import SCHEMES
from evis.training.recipes import BACKBONES, Recipe, changed, named, toy

SIZES = dict(zip(BACKBONES, ("tiny_s", "tiny", "tiny_l"), strict=True))  # what stands for what
SEEDS = tuple(range(8))
SEARCH_SEEDS = (100, 101)  # of `beyond`

TK, CONTROL, TEL, QCC, BOTH = "TK", "more steps", "TEL", "QCC", "TEL + QCC"


@dataclass(frozen=True)
class Experiment:
    """A row of a table, for any seed."""

    name: str
    stages: tuple[Recipe, ...]

    def seeded(self, seed: int) -> tuple[Recipe, ...]:
        return tuple(
            replace(recipe, seed=0 if _is_stage_one(recipe) else seed) for recipe in self.stages
        )


def comparison(size: str) -> dict[str, Experiment]:
    """Table I: what one size of the model learns from masks, from boxes, and with each term."""
    one, two = _stage_one(size), _stage("eigencluster.stage2", size)
    chains = {
        "stage one only": [one],
        "masks": [one, _stage("mask2former", size)],
        "boxes": [one, _stage("boxinst", size)],
        TK: [one, two],
        CONTROL: [one, two, _stage_three(size, alpha=0, beta=0)],
        BOTH: [one, two, _stage_three(size)],
    }
    return _experiments(chains)


def components(size: str) -> dict[str, Experiment]:
    """Table III, with each part alone."""
    return _on_stage_two(size, {TEL: {"alpha": 0}, QCC: {"beta": 0}})


def eigenvalue_numbers(size: str) -> dict[str, Experiment]:
    """Table IV. Y = 3 is `comparison`'s."""
    return _on_stage_two(size, {"Y = 2": {"eigenvalues": 2}, "Y = 4": {"eigenvalues": 4}})


def unreported(size: str) -> dict[str, Experiment]:
    """What the paper leaves out: other values of beta and S."""
    return _on_stage_two(
        size, {"beta = 1": {"beta": 1}, "S = 2": {"scale": 2}, "S = 8": {"scale": 8}}
    )


def at_once(size: str) -> dict[str, Experiment]:
    """Stage three with its temporal term at full strength from the first step, as in the text.

    All other rows raise it over the first 100 of 150 steps (`recipes.TOY_SETTINGS`).
    """
    settings = {CONTROL: {"alpha": 0, "beta": 0}, TEL: {"alpha": 0}, BOTH: {}}
    return _on_stage_two(
        size, {f"{name}, at once": own | {"warm_up_steps": 0} for name, own in settings.items()}
    )


def placebos(size: str) -> dict[str, Experiment]:
    """Constants in place of what TEL and QCC multiply by: the order of their mean in training."""
    return _on_stage_two(
        size,
        {
            "TK x 100": {"alpha": 0, "beta": 0, "temporal_factor": 10.0},
            "loss x 1.4": {"alpha": 0, "beta": 0, "mask_weight": 7.0, "dice_weight": 7.0},
        },
    )


def released(size: str) -> dict[str, Experiment]:
    """Stages two and three with the released code's loss. Schedules and data are as elsewhere."""
    flavour = {"settings.flavour": "released"}
    one, two = _stage_one(size), _stage("eigencluster.stage2", size, **flavour)
    three = _stage_three(size, flavour="released")
    control = _stage_three(size, flavour="released", alpha=0, beta=0)
    chains = {TK: [one, two], CONTROL: [one, two, control], BOTH: [one, two, three]}
    return _experiments({f"{name}, released": stages for name, stages in chains.items()})


def schemes(size: str) -> dict[str, Experiment]:
    """Table II: what takes TK's place in stage two. "Baseline (No Matching)" is "boxes".

    A scheme's value is the mean over its matches, as in the released TK, for all of them.
    """
    one = _stage_one(size)
    names = list(SCHEMES)[1:]
    return _experiments(
        {name: [one, _stage("eigencluster.stage2", size, scheme=name)] for name in names}
    )


def beyond(size: str) -> dict[str, Experiment]:
    """Our own variants, in stage three's place: the paper's stage two, then a term of ours.

    Searched on seeds `SEARCH_SEEDS` and the validation videos, reported on `SEEDS` and the test.
    """
    rows = _in_stage_three(size, FIRST_ROUND, {"TEL as a loss, x 10": "TEL as a loss"})
    return rows | _on_stage_two(size, {"soft QCC": {"beta": 0, "soft_qcc": True}})


def beyond_again(size: str) -> dict[str, Experiment]:
    """A second round of `beyond`, after Table II's rows: what did better there than TK."""
    return _in_stage_three(size, SECOND_ROUND, {"3D pairwise x 10": "3D pairwise"})


def beyond_control(size: str) -> dict[str, Experiment]:
    """TK as the schemes of `beyond` have it, which are means over matches: Eq. 12 divides by all
    pixels. So a variant can be told from its divisor.
    """
    one, two = _stage_one(size), _stage("eigencluster.stage2", size)
    three = replace(_stage_three(size, alpha=0, beta=0), scheme="Temporal KNN-Matching (TK)")
    return _experiments({"TK over its matches": [one, two, three]})


def from_nothing(size: str) -> dict[str, Experiment]:
    """The second regime: no stage one, so that boxes see no mask of any kind."""
    chains = {
        f"{name}, no stage one": experiment.stages[1:]
        for name, experiment in comparison(size).items()
        if len(experiment.stages) > 1
    }
    return _experiments(chains)


GROUPS = {
    "comparison": comparison,
    "components": components,
    "eigenvalues": eigenvalue_numbers,
    "at once": at_once,
    "placebos": placebos,
    "released": released,
    "unreported": unreported,
    "schemes": schemes,
    "from nothing": from_nothing,
    "beyond": beyond,
    "beyond again": beyond_again,
    "beyond control": beyond_control,
}


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


def _experiments(chains: Mapping[str, Sequence[Recipe]]) -> dict[str, Experiment]:
    """The first stage of a chain starts from nothing."""
    return {
        name: Experiment(name, (replace(stages[0], init=None), *stages[1:]))
        for name, stages in chains.items()
    }


def _on_stage_two(size: str, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Experiment]:
    one, two = _stage_one(size), _stage("eigencluster.stage2", size)
    return _experiments(
        {name: [one, two, _stage_three(size, **own)] for name, own in settings.items()}
    )


def _in_stage_three(
    size: str, schemes: Iterable[str], ten_times: Mapping[str, str]
) -> dict[str, Experiment]:
    """A scheme in TK's and TEL's place; ten_times: row -> a scheme with ten times the weight."""
    one, two = _stage_one(size), _stage("eigencluster.stage2", size)
    plain = _stage_three(size, alpha=0, beta=0)
    strong = _stage_three(size, alpha=0, beta=0, temporal_factor=1.0)
    chains = {name: [one, two, replace(plain, scheme=name)] for name in schemes}
    chains |= {
        name: [one, two, replace(strong, scheme=scheme)] for name, scheme in ten_times.items()
    }
    return _experiments(chains)


def _stage_one(size: str) -> Recipe:
    return _stage("eigencluster.stage1", size)


def _stage_three(size: str, **settings: Any) -> Recipe:
    """With beta as for R50 at every size: the toy sizes differ by less than the backbones do."""
    own = {f"settings.{name}": value for name, value in settings.items()}
    return _stage("eigencluster.stage3", size, **own)


def _stage(name: str, size: str, **changes: Any) -> Recipe:
    return changed(toy(named(name)), {"model": size, **changes})


def _is_stage_one(recipe: Recipe) -> bool:
    return all(role == "stills" for role, _ in recipe.mixture)
