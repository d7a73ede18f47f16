"""One data set's objects under another's classes."""

from collections.abc import Sequence
from dataclasses import replace

from evis.data.errors import DataError
from evis.data.types import Category, VISDataset


def under_classes(
    dataset: VISDataset, categories: Sequence[Category], renames: Sequence[tuple[str, str]] = ()
) -> VISDataset:
    """The data set with another's categories, matched by name; tracks of other classes go."""
    ids = {_plain(category.name): category.id for category in categories}
    renamed = {_plain(old): _plain(new) for old, new in renames}
    matched = {}
    for category in dataset.categories:
        name = _plain(category.name)
        matched[category.id] = ids.get(renamed.get(name, name))
    tracks = tuple(
        replace(track, category_id=matched[track.category_id])
        for track in dataset.tracks
        if matched[track.category_id] is not None
    )
    if dataset.tracks and not tracks:
        raise DataError(
            "no class of the added set is a class of the first",
            remedy=f"The first has {', '.join(c.name for c in categories)}; see Recipe.renames",
        )
    return replace(dataset, tracks=tracks, categories=tuple(categories))


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ")
