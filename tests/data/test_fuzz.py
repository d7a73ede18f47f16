"""Any json, and any bytes, give a `DataError` or a data set that holds together."""

import contextlib
import copy
import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evis.data import DataError, predictions, ytvis
from evis.data.supervision import weaken

numbers = st.one_of(
    st.integers(-3, 700),
    st.floats(),
    st.sampled_from([2**31, 2**32, 2**53 + 1, 2**64, -(2**70), 10**400, 1e300, -0.0, 32_768]),
)
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["../../x", "/etc/passwd", "\udcff", "a\0b", "", ".", "0a1b/00000.jpg"]),
    st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=12),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["size", "counts", "id", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)


def places(value, path=()):
    """The path of every value in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutate(document, path, how, value):
    """Replace, delete or double the value at `path`; `value` goes in where one is needed."""
    if not path:
        return value
    *parents, last = path
    holder = document
    for key in parents:
        holder = holder[key]
    if how == "delete":
        del holder[last]
    elif how == "insert" and isinstance(holder, list):
        holder.insert(last, value)
    elif how == "double" and isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]))
    else:
        holder[last] = value
    return document


def holds_together(dataset, scratch):
    """What every accepted data set must fulfil."""
    known = {category.id for category in dataset.categories}
    for video in dataset.videos:
        assert video.length and 0 < video.height <= 32_768 and 0 < video.width <= 32_768
        assert not any(".." in name or name.startswith("/") for name in video.frames)
        for track in dataset.tracks_of(video.id):
            assert track.category_id in known
            for entries in (track.boxes, track.masks, track.areas, track.points):
                assert entries is None or len(entries) == video.length
            for frame, rle in enumerate(track.masks or ()):
                if rle is not None and video.height * video.width < 10_000:
                    mask = track.mask(frame)
                    assert mask.shape == (video.height, video.width) and mask.any()
                    assert track.boxes[frame] is not None and track.areas[frame] is not None
                    assert np.isfinite(track.boxes[frame]).all()
    str(dataset).encode()
    assert ytvis.read(ytvis.write(dataset, scratch / "again.json")) == dataset
    weaken(dataset, "none")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture
def spots(document):
    return list(places(document))


def test_the_unchanged_document_is_accepted(dataset, scratch):
    holds_together(dataset, scratch)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_document_with_anything_anywhere(document, spots, scratch, data):
    changed = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(spots))
        how = data.draw(st.sampled_from(["replace", "replace", "delete", "insert", "double"]))
        value = data.draw(values)
        try:
            changed = mutate(changed, path, how, value)
        except (KeyError, IndexError, TypeError):  # the first change took the second's place away
            continue
    path = scratch / "mutated.json"
    path.write_text(json.dumps(changed))
    try:
        dataset = ytvis.read(path)
    except DataError as error:
        assert error.file == path and "\n" not in str(error) and len(str(error)) < 600
        str(error).encode()
    else:
        holds_together(dataset, scratch)


@settings(max_examples=100)
@given(values)
def test_any_json_at_all(scratch, value):
    path = scratch / "any.json"
    path.write_text(json.dumps(value))
    with pytest.raises(DataError):
        ytvis.read(path)


def test_bytes_cut_off_or_overwritten(document, scratch):
    generator = random.Random(0)
    whole = json.dumps(document).encode()
    path = scratch / "bytes.json"
    for attempt in range(250):
        content = bytearray(whole)
        if attempt % 3 == 0:
            del content[generator.randrange(len(content)) :]
        for _ in range(attempt % 4):
            if content:
                content[generator.randrange(len(content))] = generator.randrange(256)
        path.write_bytes(bytes(content))
        try:
            dataset = ytvis.read(path)
        except DataError:
            continue
        holds_together(dataset, scratch)


@pytest.mark.parametrize("depth", [100, 900, 990, 5_000, 200_000])
@pytest.mark.parametrize("bomb", ["[", '{"a":'])
def test_nested_bombs_at_every_place(document, scratch, depth, bomb):
    closing = {"[": "]", '{"a":': "}"}[bomb]
    text = bomb * depth + ("1" if bomb != "[" else "") + closing * depth
    path = scratch / "bomb.json"
    for spot in list(places(document))[1::7]:
        changed = mutate(copy.deepcopy(document), spot, "replace", "BOMB")
        path.write_text(json.dumps(changed).replace('"BOMB"', text))
        with contextlib.suppress(DataError):
            holds_together(ytvis.read(path), scratch)


def test_a_key_that_stands_twice_counts_once(document, scratch):
    path = scratch / "twice.json"
    path.write_text(json.dumps(document)[:-1] + ', "videos": []}')
    with pytest.raises(DataError, match="set is empty"):
        ytvis.read(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_predictions_with_anything_anywhere(document, dataset, scratch, data):
    rows = [
        {
            "video_id": annotation["video_id"],
            "category_id": annotation["category_id"],
            "score": 0.5,
            "segmentations": annotation["segmentations"],
        }
        for annotation in copy.deepcopy(document["annotations"])
    ]
    spot = data.draw(st.sampled_from(list(places(rows))))
    how = data.draw(st.sampled_from(["replace", "replace", "delete", "insert", "double"]))
    path = scratch / "rows.json"
    path.write_text(json.dumps(mutate(rows, spot, how, data.draw(values))))
    try:
        tracks = predictions.read(path, dataset)
    except DataError as error:
        assert error.file == path
    else:
        assert predictions.read(predictions.write(tracks, scratch / "b.zip"), dataset) == tracks
