"""Drawn worlds: what moves in them is what they say, and a camouflaged object has no own colour."""

import numpy as np
import pytest

from evis.foundation import flow
from evis.papers.flowcut.worlds import SAND, WORLDS, World

DRIFTING = {"both move": World(SAND, step=(1, 0), camera=(0, -1))}


@pytest.mark.parametrize("world", [*WORLDS.values(), *DRIFTING.values()])
def test_flow_is_that_of_object_and_camera(world):
    frames, mask = world.clip(seed=3)
    found = flow.of_frame(frames, 0)
    inner = slice(10, -10), slice(20, -20)  # what no camera takes out of the picture
    ground = (~mask)[inner]
    for own, step in (
        (found[mask], np.subtract(world.step, world.camera)),
        (found[inner][ground], np.negative(world.camera)),
    ):
        right_and_down = flow.GAP * step[::-1]
        assert np.abs(np.median(own, 0) - right_and_down).max() < 0.5


def test_a_camouflaged_object_has_the_colours_of_its_ground():
    def contrast(name):
        (frame, *_), mask = WORLDS[name].clip(seed=1)
        return np.linalg.norm(frame[mask].mean(0) - frame[~mask].mean(0))

    assert contrast("camouflaged, moving object") < 15 < 80 < contrast("plain: all rests")


def test_clips_are_the_same_for_a_seed_and_as_long_as_asked():
    world = WORLDS["still camera, moving object"]
    frames, mask = world.clip(seed=1, length=3)
    again, _ = world.clip(seed=1, length=3)
    other, same_mask = world.clip(seed=2, length=3)
    assert len(frames) == 3 and frames[0].dtype == np.uint8 and frames[0].shape[:2] == mask.shape
    assert all((a == b).all() for a, b in zip(frames, again, strict=True))
    assert (frames[0] != other[0]).any() and (mask == same_mask).all()
    assert 0.1 < mask.mean() < 0.15 and mask.dtype == bool
