"""`evis data`."""

from pathlib import Path

from evis.cli.arguments import Count, UsageError


def toy(name: str, *, root: Path, videos: Count | None = None, seed: int = 0) -> None:
    """Write a toy set in its real format.

    name NAME: e.g. toy-ytvis19
    root DIR: where to write it
    videos N: how many; default: the set's own
    seed S: fixes every byte

    examples:
      evis data toy toy-ytvis19 --root /tmp/toy --videos 20 --seed 1
    """
    from evis.data import toy as toy_sets

    dataset = toy_sets.build(name, root, videos=videos, seed=seed)
    print(f"{name}: {len(dataset.videos)} videos in {root}")


def check(name: str | None = None, *, root: Path | None = None, frames: Path | None = None) -> int:
    """Say what is there of a data set, and what is missing.

    Without NAME, list the sets evis knows.

    name NAME|JSON: a set of the list, or the annotation json of your own
    root DIR: the folder that holds a set of the list
    frames DIR: the frames of a json, where they are not beside it

    examples:
      evis data check
      evis data check youtube-vis-2019 --root /data/youtube-vis-2019
      evis data check cats.json --frames cats
    """
    from evis.data import catalog, own

    if name is None:
        print("\n".join(catalog.SETS))
        return 0
    is_own = name not in catalog.SETS and (name.endswith(".json") or Path(name).exists())
    if not is_own and root is None:
        print(catalog.describe(name))
        raise UsageError("--root DIR, the folder that holds it, is needed to check it")
    report = own.check(name, frames) if is_own else catalog.check(name, root)
    print("\n".join(report.lines))
    return int(not report.complete)
