"""Labels for whole data sets: each way's masks, tracks and costs; kept, resumed, in parallel."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from evis.companion.labelled import Made
from evis.data import annotations, files, masks, per_video, toy
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.foundation import colour, flow
from evis.labels import from_boxes, maskcut, networks, select
from evis.labels.best import Best
from evis.labels.looks import Looks
from evis.labels.videos import Boxes, Cuts, Tracked, linked, make


def film(length=4, height=48, width=72):
    """A bright block that moves over a dark ground of two shades."""

    def read(video, frame):
        picture = np.full((height, width, 3), 30, dtype=np.uint8)
        picture[:, : width // 2] = 45
        left = 10 + 4 * frame
        picture[12:36, left : left + 24] = (230, 180, 40)
        return picture

    of = Video(1, "block", height, width, tuple(f"block/{n}.png" for n in range(length)))
    return VISDataset((of,), (), (), read, supervision="none")


def block(frame, height=48, width=72):
    mask = np.zeros((height, width), dtype=bool)
    mask[12:36, 10 + 4 * frame : 34 + 4 * frame] = True
    return mask


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def few():
    """Three toy videos of two frames."""
    whole = toy.sample("toy-ytvis19", 3)
    parts = ("boxes", "masks", "areas")
    tracks = [replace(t, **{name: getattr(t, name)[:2] for name in parts}) for t in whole.tracks]
    shortened = [replace(video, frames=video.frames[:2]) for video in whole.videos]
    return replace(whole, videos=tuple(shortened), tracks=tuple(tracks))


def test_cuts_find_a_moving_block_as_one_track():
    labelled = make(film(), Cuts(), progress=False)
    assert labelled.categories == (Category(1, "object"),) and labelled.supervision == "none"
    assert labelled.origin == "MaskCut (paper) of colour features, outlines by CRF"
    best = max(
        labelled.tracks, key=lambda track: iou(track.mask(0), block(0)) if track.masks[0] else 0
    )
    assert all(iou(best.mask(frame), block(frame)) > 0.9 for frame in range(4))


def test_without_outlines_masks_are_blocks_of_patches():
    dataset = film(1)
    found = Cuts(outlined=False).masks(dataset, 0)
    patches = maskcut.masks(colour.features(dataset.frame(1, 0)))
    assert np.array_equal(found, patches.repeat(3, 1).repeat(3, 2))
    assert not np.array_equal(found, Cuts().masks(dataset, 0))


def test_motion_is_weighed_against_appearance():
    dataset = film(6)
    (video,) = dataset.videos
    for frame in (1, 5):  # the second looks back
        pictures = [dataset.frame(1, n) for n in (frame, flow.partner(frame, video.length))]
        moved = colour.features(flow.colours(flow.dis(*pictures)))
        both = maskcut.combined(colour.features(pictures[0]), moved, 0.3)
        wanted = maskcut.masks(both).repeat(3, 1).repeat(3, 2)
        assert np.array_equal(Cuts(alpha=0.3, outlined=False).masks(dataset, frame), wanted)
    labelled = make(dataset, Cuts(alpha=0.3), progress=False)
    assert "flow, alpha 0.3" in labelled.origin
    with pytest.raises(DataError, match="video block: has one frame, in which nothing moves"):
        make(film(1), Cuts(alpha=0.5), progress=False)


def test_a_picture_of_one_colour_has_no_object():
    plain = replace(film(), read_frame=lambda video, frame: np.full((48, 72, 3), 90, np.uint8))
    for labeller in (Cuts(), Cuts(alpha=0.5)):
        labelled = make(plain, labeller, progress=False)
        assert labelled.tracks == () and labelled.origin


def test_masks_that_overlap_are_linked_one_to_one_and_others_begin_tracks():
    def mask(left, right):
        whole = np.zeros((4, 20), dtype=bool)
        whole[:, left:right] = True
        return masks.encode(whole)

    first = [mask(0, 6), mask(10, 16)]
    second = [mask(11, 17), mask(1, 7), mask(18, 20)]
    third, fourth = [], [mask(1, 7)]
    tracks = linked([first, second, third, fourth])
    assert tracks == [
        [first[0], second[1], None, None],
        [first[1], second[0], None, None],
        [None, second[2], None, None],
        [None, None, None, fourth[0]],  # nothing is remembered over a frame without masks
    ]
    half = linked([[mask(0, 8)], [mask(0, 4)]])
    assert len(half) == 2, "an IoU of one half is not above it"
    assert linked([]) == [] and linked([[], []]) == []


@pytest.mark.parametrize("tidy", [False, True])
def test_boxes_become_masks_as_from_boxes_has_them(few, tidy):
    labelled = make(few, Boxes("ellipse", tidy), progress=False)
    wanted = from_boxes.label(few, from_boxes.ellipse, progress=False)
    wanted = select.tidied(wanted) if tidy else wanted
    assert labelled.tracks == wanted.tracks and labelled.supervision == "box"
    assert labelled.origin == "ellipse from boxes" + ", DOOB" * tidy
    with pytest.raises(DataError, match="masks are made from boxes"):
        make(weaken(few, "none"), Boxes(), progress=False)


def test_no_label_is_seen_that_a_way_does_not_cost(few):
    noise = np.random.default_rng(0)
    spoilt = []
    for track in few.tracks:
        rles = [rle and masks.encode(noise.random(rle["size"]) < 0.5) for rle in track.masks]
        spoilt.append(replace(track, masks=tuple(rles)))
    noisy = replace(few, tracks=tuple(spoilt)).subset([few.videos[0].id])
    few = few.subset([few.videos[0].id])
    for labeller in (Cuts(), Boxes()):
        clean = make(few, labeller, progress=False)
        assert clean.tracks == make(noisy, labeller, progress=False).tracks


def test_what_tells_the_motion_is_asked_with_the_frames_and_is_part_of_what_is_kept(
    monkeypatch, tmp_path
):
    dataset, asked = film(6), []

    def planted(first, second):
        asked.append((first, second))
        return flow.dis(second, first)

    file = tmp_path / "raft_large.pth"
    file.write_bytes(b"weights")
    monkeypatch.setattr(flow, "raft", lambda weights, device: asked.append(device) or planted)
    networks.estimator.cache_clear()
    labeller = Cuts(alpha=0.5, outlined=False, flow=str(file), device="a device")
    found = labeller.masks(dataset, 1)
    assert asked.pop(0) == "a device" and np.array_equal(asked[0][1], dataset.frame(1, 5))
    moved = colour.features(flow.colours(flow.dis(dataset.frame(1, 5), dataset.frame(1, 1))))
    both = maskcut.combined(colour.features(dataset.frame(1, 1)), moved, 0.5)
    assert np.array_equal(found, maskcut.masks(both).repeat(3, 1).repeat(3, 2))
    assert "of colour features and flow by raft_large.pth, alpha 0.5" in labeller.origin
    assert labeller.weights == (str(file),)
    assert per_video.made_by(labeller) != per_video.made_by(replace(labeller, flow="dis"))
    networks.estimator.cache_clear()


def test_a_size_goes_to_a_dino_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(
        networks.dino, "load", lambda *given, device: asked.append((*given, device)) or "dino"
    )
    networks.extractor.cache_clear()
    assert networks.extractor("some.pth", 480, "cuda") == "dino"
    assert asked == [("some.pth", 480, "cuda")]
    assert Cuts("a/some.pth", size=480).origin.startswith("MaskCut (paper) of some.pth features at")
    for features in ("colour", "toy_dino"):
        with pytest.raises(DataError, match=f"{features} features have a size of their own"):
            Cuts(features, size=480).masks(film(), 0)
    networks.extractor.cache_clear()


@pytest.mark.parametrize(
    ("labeller", "told"),
    [
        (
            Cuts("toy_dino", 0.5),
            {
                "features": "toy_dino",
                "alpha": 0.5,
                "tau": 0.15,
                "count": 3,
                "flavour": "paper",
                "outlined": True,
            },
        ),
        (Boxes("fill", True), {"by": "fill", "tidy": True}),
        (Tracked(), {"by": "grabcut", "through": "colour", "every": 10, "tidy": False}),
        (
            Best(),
            {
                "by": "grabcut",
                "other": "toy_sam",
                "through": "colour",
                "every": 10,
                "tidy": False,
            },
        ),
        (Looks(), {"by": "toy_clip"}),
    ],
)
def test_what_is_kept_and_stored_is_found_by_what_it_always_was(labeller, told):
    """A device changes no label, and what came later says nothing where it is not set."""
    assert list(per_video.content(labeller).items()) == list(told.items())
    elsewhere = replace(labeller, device="cuda")
    assert elsewhere == labeller and per_video.made_by(elsewhere) == per_video.made_by(labeller)
    assert Made(elsewhere).content() == Made(labeller).content()
    for name in ("size", "flow", "other"):
        if name in getattr(type(labeller), "__dataclass_fields__"):  # noqa: B009
            changed = replace(labeller, **{name: "9"})
            assert per_video.content(changed)[name] == "9"
            assert Made(changed).content() != Made(labeller).content()


def test_labels_of_another_device_are_taken_for_the_same(few, tmp_path, monkeypatch):
    kept = make(few, Boxes("ellipse"), tmp_path, progress=False)
    monkeypatch.setattr(from_boxes, "label", None)  # nothing is made anew
    assert make(few, Boxes("ellipse", device="cuda"), tmp_path, progress=False) == kept


def test_every_network_is_put_on_the_device(monkeypatch):
    asked = []

    def load(name):
        return lambda *given, **how: asked.append((name, *given[1:], *how.values())) or name

    for name in ("toy_sam", "sam", "toy_dino", "dino", "sam2"):
        monkeypatch.setattr(getattr(networks, name), "load", load(name))
    monkeypatch.setattr(networks.flow, "raft", load("raft"))
    monkeypatch.setattr(networks.pretrained, "model_type", lambda *given: "sam2_video")
    made = (networks.segmenter, networks.extractor, networks.estimator, networks.carrier)
    for function in made:
        function.cache_clear()
    for function, by in zip(
        (*made, networks.segmenter, networks.extractor),
        ("toy_sam", "toy_dino", "raft.pth", "sam2", "sam", "dino"),
        strict=True,
    ):
        function(by, device="somewhere")
    names = ["toy_sam", "toy_dino", "raft", "sam2", "sam"]
    assert asked == [*((name, "somewhere") for name in names), ("dino", None, "somewhere")]
    with pytest.raises(DataError, match="file sam2: SAM 2 has a size of its own"):
        networks.carrier("sam2", 480)
    for function in made:
        function.cache_clear()


def test_masks_that_were_made_before_are_taken_from_their_file(few, tmp_path):
    boxes = weaken(few, "box")
    before = from_boxes.label(boxes, from_boxes.ellipse, "a model's", progress=False)
    file = str(annotations.write(before, tmp_path / "before.json"))
    labeller = Boxes(file)
    assert make(few, labeller, tmp_path / "parts", progress=False).tracks == before.tracks
    assert labeller.origin == "a model's" and labeller.weights == (file,)
    tidy = make(few, Boxes(file, tidy=True), progress=False)
    assert tidy.tracks == select.tidied(before).tracks and tidy.supervision == "box"
    best = make(few, Best(file, "fill"), progress=False)
    wanted = make(few, Best("ellipse", "fill"), progress=False)
    assert [t.masks for t in best.tracks] == [t.masks for t in wanted.tracks]
    annotations.write(replace(before, tracks=before.tracks[1:]), file)  # another file of this name
    again = make(few, labeller, tmp_path / "parts", progress=False)
    assert again.tracks == before.tracks[1:], "neither the process nor the folder keeps the old one"
    with pytest.raises(DataError, match="there is no such file"):
        make(few, Boxes(str(tmp_path / "none.json")), progress=False)


def test_a_file_of_other_masks_is_refused(few, tmp_path):
    annotated = str(annotations.write(few, tmp_path / "annotated.json"))
    with pytest.raises(DataError, match="annotated.json: holds no masks that were made from boxes"):
        make(few, Boxes(annotated), progress=False)
    before = from_boxes.label(few, from_boxes.ellipse, progress=False)
    dear = replace(before, supervision="mask")
    dear = str(annotations.write(dear, tmp_path / "dear.json"))
    with pytest.raises(DataError, match='made from "mask" supervision .* "box" allows less'):
        make(few, Boxes(dear), progress=False)
    part = before.subset([few.videos[0].id])
    part = str(annotations.write(part, tmp_path / "part.json"))
    with pytest.raises(DataError, match=f"video {few.videos[1].name}: has no such video"):
        make(few, Boxes(part), progress=False)


def test_weights_in_a_cache_are_told_by_their_commit(few, tmp_path, monkeypatch):
    cache = tmp_path / "models--some--dino"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    labeller, nowhere = Cuts("some/dino"), Cuts("x y/no/dino")
    told = []
    for commit in ("a1", "b2"):
        (cache / "snapshots" / commit).mkdir(parents=True)
        (cache / "snapshots" / commit / "config.json").touch()
        (cache / "refs").mkdir(exist_ok=True)
        (cache / "refs" / "main").write_text(commit)
        told.append(per_video.made_by(labeller)[-1])
    assert told == ["a1", "b2"]
    assert per_video.made_by(nowhere)[-1] == per_video.content(nowhere)
    file = tmp_path / "w.pth"
    file.write_bytes(b"1")
    assert per_video.digests([str(file), "some/dino"]) == [files.digest(file), "b2"]


def test_masks_of_corrected_boxes_are_refused_and_classes_are_the_boxes_own(few, tmp_path):
    boxes = weaken(few, "box")
    before = from_boxes.label(boxes, from_boxes.ellipse, progress=False)
    file = str(annotations.write(before, tmp_path / "before.json"))
    first = boxes.tracks[0]
    frame = next(n for n, box in enumerate(first.boxes) if box)

    def corrected(box) -> tuple:
        changed = (*first.boxes[:frame], box, *first.boxes[frame + 1 :])
        return replace(boxes, tracks=(replace(first, boxes=changed), *boxes.tracks[1:]))

    x, y, width, height = first.boxes[frame]
    rounded = make(corrected((x + 0.4, y, width, height)), Boxes(file), progress=False)
    assert rounded.tracks == before.tracks
    for box in ((x + 5, y, width, height), None):
        with pytest.raises(DataError, match=f"frame {frame}: its masks of object {first.id} were"):
            make(corrected(box), Boxes(file), progress=False)
    ids = {category.id: 100 + category.id for category in few.categories}
    renumbered = replace(
        boxes,
        categories=tuple(replace(c, id=ids[c.id]) for c in few.categories),
        tracks=tuple(replace(t, category_id=ids[t.category_id]) for t in boxes.tracks),
    )
    found = make(renumbered, Boxes(file), progress=False)
    assert [t.category_id for t in found.tracks] == [ids[t.category_id] for t in before.tracks]
    assert [t.masks for t in found.tracks] == [t.masks for t in before.tracks]


def test_a_video_without_an_object_goes_along_with_the_others(few, tmp_path):
    """Labels are made video by video, and what was made of one may hold no track."""
    empty = few.videos[1].id
    found = from_boxes.label(weaken(few, "box"), from_boxes.ellipse, progress=False)
    found = replace(found, tracks=tuple(t for t in found.tracks if t.video_id != empty))
    for level in ("none", "point", "box"):
        made = make(replace(found, supervision=level), Boxes("fill"), progress=False)
        assert {track.video_id for track in made.tracks} == {
            video.id for video in few.videos if video.id != empty
        }


@dataclass(frozen=True)
class Counted:
    """Notes each video in a file, and dies at one."""

    note: str
    dies_at: int | None = None
    origin = "counting"
    weights: tuple[str, ...] = ()

    def seen(self, dataset):
        return replace(dataset.bare(), categories=(Category(1, "object"),))

    def __call__(self, dataset, progress=False):
        (video,) = dataset.videos
        if video.id == self.dies_at:
            raise KeyboardInterrupt
        with open(self.note, "a") as stream:
            stream.write(f"{video.id} ")
        whole = np.ones((video.height, video.width), dtype=bool)
        return [Track(1, video.id, 1).with_masks([masks.encode(whole)] * video.length)]


@pytest.fixture
def noted(tmp_path):
    return lambda: (tmp_path / "note").read_text().split()


def test_what_is_done_is_kept_and_nothing_else_is_taken_for_it(few, tmp_path, noted, monkeypatch):
    ids = [str(video.id) for video in few.videos]
    labeller, folder = Counted(str(tmp_path / "note")), tmp_path / "parts"
    third = few.videos[2].id
    # Only a labeller that is equal may use what was kept, so the death must not be its own.
    real = Counted.__call__

    def dies(self, dataset, progress=False):
        return real(replace(self, dies_at=third), dataset)

    monkeypatch.setattr(Counted, "__call__", dies)
    with pytest.raises(KeyboardInterrupt):
        make(few, labeller, folder, progress=False)
    assert noted() == ids[:2] and len(list(folder.iterdir())) == 2
    monkeypatch.setattr(Counted, "__call__", real)
    labelled = make(few, labeller, folder, progress=False)
    assert noted() == ids
    assert [track.id for track in labelled.tracks] == [1, 2, 3], "numbered through"
    assert make(few, labeller, folder, progress=False) == labelled and noted() == ids
    # Damaged, of other frames, of another labeller, of other weights: done again.
    first = next(folder.glob(f"{ids[0]}-*"))
    first.write_text(first.read_text()[:100])
    assert make(few, labeller, folder, progress=False) == labelled
    assert noted() == [*ids, ids[0]]
    dark = replace(few, read_frame=lambda video, frame: few.frame(video.id, frame) // 2)
    make(dark, labeller, folder, progress=False)
    assert noted() == [*ids, ids[0], *ids]
    weights = tmp_path / "weights"
    for content in "ab":
        weights.write_text(content)
        make(few, replace(labeller, weights=(str(weights),)), folder, progress=False)
    assert noted() == [*ids, ids[0], *ids, *ids, *ids]
    assert len(list(folder.iterdir())) == 3


@pytest.mark.slow
def test_jobs_change_nothing(few, tmp_path):
    alone = make(few, Cuts(), progress=False)
    together = make(few, Cuts(), tmp_path, jobs=2, progress=False)
    assert alone.tracks == together.tracks
    path = annotations.write(together, tmp_path / "labels.json")
    again = annotations.read(path)
    assert (again.tracks, again.origin) == (alone.tracks, alone.origin)


@pytest.mark.slow  # transformers is imported
def test_weights_that_are_not_there_are_named(few):
    with pytest.raises(DataError, match="no such file or folder, nor a ViTModel"):
        make(few, Cuts("nowhere/dino"), progress=False)
    with pytest.raises(DataError, match="no such file or folder, nor a SAM or SAM-HQ"):
        make(few, Boxes("nowhere/sam"), progress=False)
    networks.extractor.cache_clear()


def test_the_best_has_no_mask_where_the_first_kind_has_none(tmp_path):
    boxes = weaken(toy.sample("toy-ytvis19", 1), "box")
    before = from_boxes.label(boxes, from_boxes.ellipse, progress=False)
    first, *others = before.tracks
    gone = [frame for frame, rle in enumerate(first.masks) if rle][2]
    rles = [None if frame == gone else rle for frame, rle in enumerate(first.masks)]
    lacking = replace(before, tracks=(replace(first, areas=None).with_masks(rles), *others))
    file = str(annotations.write(lacking, tmp_path / "before.json"))
    tracked = make(boxes, Tracked(file, every=4, other="fill"), progress=False)
    assert tracked.tracks[0].masks[gone], "tracking finds it there"
    assert make(boxes, Best(file, "fill", every=4), progress=False).tracks[0].masks[gone] is None


def test_objects_keep_their_ids_where_these_count_anew_in_each_video(few):
    of = (few.videos[0].id, 1), (few.videos[1].id, 1), (few.videos[1].id, 2)
    twice = [
        replace(track, video_id=video, id=number)
        for track, (video, number) in zip(few.tracks, of, strict=False)
    ]
    made = make(replace(few, tracks=tuple(twice)), Boxes("fill"), progress=False)
    assert tuple((track.video_id, track.id) for track in made.tracks) == of
