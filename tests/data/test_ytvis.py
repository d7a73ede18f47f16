"""YouTube-VIS and OVIS json: the official files' quirks, bad input, frames, and the way back."""

import json
import os
from dataclasses import replace
from operator import itemgetter

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evis.data import Category, DataError, Point, Track, Video, VISDataset, masks, ytvis
from evis.data.clips import ClipDataset
from evis.data.supervision import P5N5, weaken

LEVELS = ["mask", "box", "point", "none"]


def test_a_file_in_the_official_layout_is_read(dataset):
    assert dataset.supervision == "mask"
    assert dataset.categories == (Category(2, "giant_panda"), Category(40, "tennis racket"))
    assert [(v.id, v.name, v.height, v.width, v.length) for v in dataset.videos] == [
        (5, "0a1b", 20, 30, 4),
        (9, "ff00", 20, 30, 1),
    ]
    assert dataset.video(5).frames[1] == "0a1b/00005.jpg"
    panda, racket, small = dataset.tracks
    assert (panda.id, panda.video_id, panda.category_id, panda.is_crowd) == (1, 5, 2, False)
    assert racket.is_crowd and not small.is_crowd
    assert dataset.tracks_of(5) == (panda, racket) and dataset.tracks_of(9) == (small,)
    assert panda.boxes == ((4, 1, 6, 10), None, (5, 2, 6, 10), (6, 3, 6, 10))
    assert panda.areas == (60.0, None, 60.0, 60.5)
    assert panda.points is None
    assert repr(dataset) == (
        "VISDataset(2 videos, 5 frames, 3 tracks, 2 categories, supervision='mask')"
    )


def test_plain_and_compressed_runs_and_polygons_decode_alike(dataset):
    panda = dataset.tracks[0]
    for frame, top, left in [(0, 1, 4), (2, 2, 5), (3, 3, 6)]:
        expected = np.zeros((20, 30), dtype=bool)
        expected[top : top + 10, left : left + 6] = True
        assert np.array_equal(panda.mask(frame), expected)
    assert panda.mask(1) is None
    assert dataset.mask_stack(5).sum((2, 3)).tolist() == [[60, 0, 60, 60], [100, 0, 0, 0]]


def test_what_the_file_leaves_out_is_taken_from_the_masks(dataset):
    small = dataset.tracks[2]
    assert small.boxes == ((0.0, 0.0, 9.0, 9.0),)
    assert small.areas == (27.0,)


def test_what_the_file_says_of_boxes_and_areas_is_kept(read, document):
    document["annotations"][0]["bboxes"][0] = [3.5, 1, 7.25, 10]
    document["annotations"][0]["areas"][0] = 61.5
    document["annotations"][0]["bboxes"][2] = None
    panda = read(document).tracks[0]
    assert panda.boxes[0] == (3.5, 1.0, 7.25, 10.0) and panda.areas[0] == 61.5
    assert panda.boxes[2] == (5.0, 2.0, 6.0, 10.0)


@pytest.mark.parametrize(
    ("mask", "box"),
    [
        (None, None),
        (None, [0, 0, 0, 0]),
        (None, [1, 2, 3, 4]),
        ({"size": [20, 30], "counts": [600]}, [0, 0, 0, 0]),
        ({"size": [20, 30], "counts": "hb0"}, None),
        ([], None),
        ([[1, 1, 1, 1, 1, 1]], None),
    ],
)
def test_a_frame_without_mask_is_one_where_the_object_is_not_visible(read, document, mask, box):
    document["annotations"][0]["segmentations"][0] = mask
    document["annotations"][0]["bboxes"][0] = box
    panda = read(document).tracks[0]
    assert panda.mask(0) is None and panda.boxes[0] is None


def test_boxes_may_stick_out_a_little_as_those_of_real_sets_do(read, document):
    document["annotations"][0]["bboxes"][0] = [-1.5, 0, 33, 21.9]
    assert read(document).tracks[0].boxes[0] == (-1.5, 0, 33, 21.9)


def with_boxes(document, *boxes):
    """The document with boxes alone: these in the first track, a whole frame in the others."""
    for annotation in document["annotations"]:
        frames = len(annotation.pop("segmentations"))
        annotation["bboxes"] = [None] * frames
    document["annotations"][0]["bboxes"][: len(boxes)] = boxes
    return document


def test_boxes_in_shares_of_the_frame_are_refused(read, document):
    shares = with_boxes(document, [0.2, 0.1, 0.5, 0.5], None, [0.0, 0.0, 1.0, 1.0])
    with pytest.raises(DataError, match="shares of the frame, not pixels. Multiply x and width"):
        read(shares)
    document["annotations"][1]["bboxes"][0] = [0.5, 0.5, 3, 3]
    assert read(document).supervision == "box"


def test_boxes_over_the_corner_pixel_are_pixels(read, document):
    assert read(with_boxes(document, [0, 0, 1, 1])).tracks[0].boxes[0] == (0, 0, 1, 1)


def test_files_without_masks_hold_boxes(read, document):
    for annotation in document["annotations"]:
        boxes = [[1, 2, 3, 4], None, [0, 0, 0, 0], [2, 2, 0, 5]]
        annotation["bboxes"] = boxes[: len(annotation.pop("segmentations"))]
    dataset = read(document)
    assert dataset.supervision == "box"
    assert dataset.tracks[0].boxes == ((1, 2, 3, 4), None, None, (2, 2, 0, 5))
    with pytest.raises(DataError, match='carries no masks.*weaker than "mask"'):
        dataset.tracks[0].mask(0)


@pytest.mark.parametrize("annotations", ["absent", None])
def test_the_official_valid_and_test_files_have_no_annotations(read, document, annotations):
    document["annotations"] = None
    if annotations == "absent":
        del document["annotations"]
    dataset = read(document)
    assert dataset.supervision == "none" and dataset.tracks == ()
    assert len(dataset.videos) == 2 and len(dataset.categories) == 2


def test_nested_folders_odd_names_and_a_byte_order_mark(tmp_path, document):
    names = ["train/ü 1/0.jpg", "train/ü 1/a\\b.png", "./x.jpg", "train/ü 1/0.jpg"]
    document["videos"][0]["file_names"] = names
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(document, ensure_ascii=False).encode())
    video = ytvis.read(path).video(5)
    assert video.name == "train/ü 1" and video.frames == tuple(names)


def test_numbers_may_be_written_with_a_decimal_point(read, document, dataset):
    document["videos"][0].update(id=5.0, height=20.0, length=4.0)
    document["annotations"][0].update(id=1.0, iscrowd=False)
    assert read(document) == dataset


def change(path, value):
    """Set (or delete, for the value `delete`) what lies at `path` in a document."""

    def apply(document):
        *parents, last = path
        for key in parents:
            document = document[key]
        if value is delete:
            del document[last]
        else:
            document[last] = value

    return apply


def delete():
    pass


SEGMENTATION = ("annotations", 0, "segmentations", 0)
BAD = {
    "no videos": (change(["videos"], []), ["field videos", "set is empty", "another file"]),
    "videos missing": (
        change(["videos"], delete),
        ["lists neither videos (YouTube-VIS)", "annotation file?"],
    ),
    "categories missing": (change(["categories"], delete), ["field categories", "is missing"]),
    "video without frames": (
        change(["videos", 0, "file_names"], []),
        ["video 5", "field videos[0].file_names", "no frame", "Drop it"],
    ),
    "length": (
        change(["videos", 0, "length"], 5),
        ["video 5", "field videos[0].length", "says 5", "lists 4", "correct the length"],
    ),
    "same video twice": (
        change(["videos", 1, "id"], 5),
        ["field videos[1].id", "id 5 is taken", "videos[0]", "may stand once"],
    ),
    "same category twice": (
        change(["categories", 1, "id"], 2),
        ["field categories[1].id", "id 2 is taken", "categories[0]"],
    ),
    "same track twice": (
        change(["annotations", 2, "id"], 1),
        ["video ff00", "field annotations[2].id", "id 1 is taken", "annotations[0]"],
    ),
    "two categories of one name": (
        change(["categories", 1, "name"], "giant_panda"),
        ["field categories", "two categories are called 'giant_panda'", "Rename one"],
    ),
    "unknown category": (
        change(["annotations", 0, "category_id"], 3),
        ["video 0a1b", "field annotations[0].category_id", "one of 2, 40, is 3"],
    ),
    "unknown video": (
        change(["annotations", 0, "video_id"], 6),
        ["field annotations[0].video_id", "one of 5, 9, is 6"],
    ),
    "way out": (
        change(["videos", 0, "file_names", 2], "a/../../etc/passwd"),
        ["video 5", "frame 2", "field videos[0].file_names", "leads out", "below frames_root"],
    ),
    "way out by a backslash": (
        change(["videos", 0, "file_names", 2], "..\\secret.jpg"),
        ["frame 2", "leads out"],
    ),
    "absolute": (change(["videos", 0, "file_names", 0], "/etc/passwd"), ["frame 0", "leads out"]),
    "half a surrogate pair": (
        change(["videos", 0, "file_names", 1], "\udcff.jpg"),
        ["frame 1", "should be a file name"],
    ),
    "huge frame": (
        change(["videos", 0, "width"], 10**9),
        ["video 5", "field videos[0].width", "between 1 and 32768"],
    ),
    "no height": (
        change(["videos", 0, "height"], 0),
        ["field videos[0].height", "between 1 and 32768, is 0"],
    ),
    "a flag as number": (
        change(["videos", 0, "height"], True),
        ["field videos[0].height", "whole number, is True"],
    ),
    "fewer masks than frames": (
        change(["annotations", 0, "segmentations"], [None] * 3),
        ["video 0a1b", "annotations[0].segmentations", "has 3 entries", "4 frames", "write null"],
    ),
    "more boxes than frames": (
        change(["annotations", 0, "bboxes"], [None] * 5),
        ["video 0a1b", "annotations[0].bboxes", "has 5 entries", "4 frames", "write null"],
    ),
    "RLE of another size": (
        change([*SEGMENTATION, "size"], [30, 20]),
        [
            "video 0a1b",
            "frame 0",
            "annotations[0].segmentations",
            "size is [30, 20], the video's is [20, 30]",
            "Encode the mask",
        ],
    ),
    "RLE too short": (
        change([*SEGMENTATION, "counts"], [300, 299]),
        ["video 0a1b", "frame 0", "covers 599 pixels", "has 600", "Encode the mask"],
    ),
    "RLE cut off": (
        change([*SEGMENTATION, "counts"], "R3h0P"),
        ["video 0a1b", "frame 0", "RLE is damaged: it is cut off", "again"],
    ),
    "RLE with a negative run": (
        change([*SEGMENTATION, "counts"], [601, -1]),
        ["frame 0", "counts should be"],
    ),
    "RLE without counts": (change([*SEGMENTATION, "counts"], delete), ["frame 0", "should be an"]),
    "half a point": (
        change(SEGMENTATION, [[1, 1, 5, 1, 5]]),
        ["frame 0", "at least 3 points", "has 5 numbers"],
    ),
    "one flat polygon": (change(SEGMENTATION, [1, 1, 5, 1, 5, 5]), ["frame 0", "list of numbers"]),
    "polygon far away": (
        change(SEGMENTATION, [[1, 1, 5, 1, 5, 1e12]]),
        ["frame 0", "the polygon reaches from (1, 1) to (5, 1e+12), outside the frame"],
    ),
    "box ten times too large": (
        change(["annotations", 0, "bboxes", 0], [40, 10, 60, 100]),
        [
            "video 0a1b, frame 0, field annotations[0].bboxes",
            "the box reaches from (40, 10) to (100, 110), outside the frame",
            "30 wide and 20 high",
            "Give pixels",
        ],
    ),
    "box above the frame": (
        change(["annotations", 0, "bboxes", 2], [5, -3, 6, 6]),
        ["frame 2", "from (5, -3) to (11, 3), outside the frame"],
    ),
    "box of three": (
        change(["annotations", 0, "bboxes", 0], [1, 2, 3]),
        ["video 0a1b", "frame 0", "annotations[0].bboxes", "four numbers"],
    ),
    "negative box": (
        change(["annotations", 0, "bboxes", 2], [9, 2, -3, 4]),
        ["frame 2", "negative side", "not two corners"],
    ),
    "negative area": (
        change(["annotations", 0, "areas", 2], -1),
        ["frame 2", "annotations[0].areas", "number of pixels"],
    ),
    "iscrowd": (change(["annotations", 0, "iscrowd"], 2), ["iscrowd", "should be 0 or 1, is 2"]),
    "one track without masks": (
        change(["annotations", 0, "segmentations"], delete),
        ["field annotations", "2 of 3 tracks have segmentations", "drop"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_error_that_says_where_and_what(read, document, tmp_path, case):
    spoil, expected = BAD[case]
    spoil(document)
    with pytest.raises(DataError) as caught:
        read(document)
    for part in [f"file {tmp_path / 'instances.json'}", *expected]:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tracks_must_bear_one_kind_of_annotation(read, document):
    for annotation in document["annotations"]:
        frames = len(annotation.pop("segmentations"))
        annotation.pop("bboxes", None)
        annotation["points"] = [[[1, 1, 1]]] * frames
    assert read(document).supervision == "point"
    document["annotations"][0]["bboxes"] = [None] * 4
    with pytest.raises(DataError, match="1 of 3 tracks have bboxes"):
        read(document)
    del document["annotations"][0]["bboxes"], document["annotations"][0]["points"]
    with pytest.raises(DataError, match="2 of 3 tracks have points"):
        read(document)
    document["annotations"] = document["annotations"][:1]
    with pytest.raises(DataError, match="neither segmentations nor bboxes nor points"):
        read(document)


@pytest.mark.parametrize("point", [[30, 1, 1], [-1, 1, 1], [1, 20, 0], [1, 1, 2], [1, 1], "x"])
def test_points_lie_in_the_frame_and_are_on_or_off(read, document, point):
    document["annotations"][0]["points"] = [None, [point], None, None]
    with pytest.raises(DataError, match=r"video 0a1b, frame 1, field annotations\[0\].points"):
        read(document)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "broken json: .* line 1 column 1"),
        (b'{"videos": [\n{"id": 1,', "broken json: .* line 2"),
        (b'{"a": NaN}', "NaN is not a json number"),
        (b'{"a": -Infinity}', "Infinity is not a json number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "broken json"),
        (b"[" * 100_000, "recursion"),
        (b'{"a":' * 100_000, "recursion"),
        (b"\xff\xfe\x00", "can't decode"),
        (b"PK\x03\x04\x80", "can't decode byte 0x80"),
        (b"[]", "should be an object, is a list of 0"),
        (b"null", "should be an object, is null"),
        (b'{"videos": 1e999, "categories": []}', "should be a list, is inf"),
    ],
)
def test_broken_json_is_named(tmp_path, content, problem):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=problem) as caught:
        ytvis.read(path)
    assert caught.value.file == path


def test_missing_files_and_folders_are_named(tmp_path, read, document):
    with pytest.raises(DataError, match="nothing.json: can't be read: No such file"):
        ytvis.read(tmp_path / "nothing.json")
    with pytest.raises(DataError, match="Is a directory"):
        ytvis.read(tmp_path)
    with pytest.raises(DataError, match="no such folder.*names of frames start from"):
        read(document, tmp_path / "nowhere")


def test_polygons_that_would_fill_the_memory_are_refused(read, document):
    document["videos"][1].update(width=32_768, height=32_768)
    zigzag = [[0, 32_768][(corner // 2 + corner) % 2] for corner in range(400)]
    document["annotations"][2]["segmentations"] = [[zigzag]]
    with pytest.raises(DataError, match="frame 0.*outlines are longer than 1,000,000 pixels"):
        read(document)


def test_deep_nesting_where_a_size_belongs_is_an_error_like_others(tmp_path, document):
    document["annotations"][0]["segmentations"][0]["size"] = "deep"
    path = tmp_path / "deep.json"
    for depth in range(500, 1000, 20):
        path.write_text(json.dumps(document).replace('"deep"', "[" * depth + "]" * depth))
        with pytest.raises(DataError, match=r"size is \[\[...\]\]|recursion"):
            ytvis.read(path)


def test_frames_are_read_when_asked_for(read, document, frames_root):
    dataset = read(document, frames_root)
    picture = dataset.frame(5, 2)
    assert picture.shape == (20, 30, 3) and picture.dtype == np.uint8
    assert (picture == (80, 100, 5)).all()


def test_bad_frames_are_named(read, document, frames_root):
    dataset = read(document, frames_root)
    path = frames_root / "0a1b" / "00005.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="00005.jpg, video 0a1b, frame 1: .*decoded.*copy it again"):
        dataset.frame(5, 1)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="video 0a1b, frame 1: .*decoded"):
        dataset.frame(5, 1)
    path.unlink()
    with pytest.raises(DataError, match="video 0a1b, frame 1: .*missing.*check frames_root"):
        dataset.frame(5, 1)
    Image.new("RGB", (20, 30)).save(path, format="PNG")
    with pytest.raises(DataError, match="frame 1: the picture is 30 x 20 .*its video 20 x 30"):
        dataset.frame(5, 1)
    Image.new("L", (30, 20), 7).save(path, format="PNG")
    assert (dataset.frame(5, 1) == 7).all()
    for frame in (4, -1):
        with pytest.raises(DataError, match="video 0a1b.*no such frame; the video has 4"):
            dataset.frame(5, frame)
    with pytest.raises(DataError, match="video_id 6: no such video"):
        dataset.frame(6, 0)
    with pytest.raises(DataError, match="read without frames.*frames_root"):
        read(document).frame(5, 0)


def test_a_picture_that_claims_an_absurd_size_is_named(read, document, frames_root):
    bitmap = bytearray((frames_root / "0a1b" / "00000.jpg").read_bytes())
    bitmap[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height in the PNG header
    (frames_root / "0a1b" / "00000.jpg").write_bytes(bitmap)
    with pytest.raises(DataError, match="video 0a1b, frame 0: .*decoded"):
        read(document, frames_root).frame(5, 0)


def test_garbled_pictures_raise_nothing_but_data_errors(read, document, frames_root):
    dataset = read(document, frames_root)
    path = frames_root / "0a1b" / "00000.jpg"
    generator = np.random.default_rng(0)
    source = Image.fromarray(generator.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    for kind in ("JPEG", "PNG", "WEBP", "BMP"):
        source.save(path, format=kind)
        whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        for _ in range(60):
            garbled = whole.copy()
            places = generator.integers(0, min(len(garbled), 400), 6)
            garbled[places] = generator.integers(0, 256, 6)
            path.write_bytes(garbled.tobytes())
            try:
                dataset.frame(5, 0)
            except DataError as error:
                assert error.frame == 0


def test_subsets_keep_order_and_tracks(dataset):
    subset = dataset.subset([9])
    assert [v.id for v in subset.videos] == [9] and [t.id for t in subset.tracks] == [2]
    assert [v.id for v in dataset.subset([9, 5]).videos] == [9, 5]
    with pytest.raises(DataError, match="asked for twice"):
        dataset.subset([5, 5])
    with pytest.raises(DataError, match="no such video"):
        dataset.subset([6])


@pytest.mark.parametrize("level", LEVELS)
def test_a_written_file_reads_back_equal(tmp_path, dataset, level):
    weak = weaken(dataset, level, points=P5N5)
    path = ytvis.write(weak, tmp_path / "new" / "a.json")
    assert ytvis.read(path) == weak
    assert ytvis.write(ytvis.read(path), tmp_path / "b.json").read_bytes() == path.read_bytes()


def test_made_labels_come_back_with_what_made_them(tmp_path, dataset):
    labelled = replace(dataset, supervision="box", origin="grabcut from boxes")
    path = ytvis.write(labelled, tmp_path / "a.json")
    again = ytvis.read(path)
    assert again == labelled and "origin='grabcut from boxes'" in repr(again)
    unsupervised = replace(labelled, supervision="none", origin="maskcut")
    assert ytvis.read(ytvis.write(unsupervised, path)) == unsupervised
    path.write_text(path.read_text().replace('"supervision":"none"', '"supervision":"much"'))
    with pytest.raises(DataError, match="field info.supervision: should be one of mask, box"):
        ytvis.read(path)


def test_labels_of_a_video_in_which_nothing_was_found_stay_made_labels(tmp_path, dataset):
    empty = replace(dataset, tracks=(), supervision="none", origin="maskcut")
    again = ytvis.read(ytvis.write(empty, tmp_path / "a.json"))
    assert again == empty and again.kinds == {"masks", "boxes"}
    with pytest.raises(DataError, match="no video has a track to learn from"):
        ClipDataset(again)


def test_videos_whose_frames_share_a_folder_are_told_apart(tmp_path, document):
    """Overlays and clicks go by a video's name."""
    first, second = document["videos"]
    first["file_names"] = [f"frames/a_{frame}.jpg" for frame in range(4)]
    second["file_names"] = ["frames/b_0.jpg"]
    document["videos"].append(second | {"id": 11, "file_names": ["ff00/0.jpg"]})
    (tmp_path / "a.json").write_text(json.dumps(document))
    shared = ytvis.read(tmp_path / "a.json")
    assert [video.name for video in shared.videos] == ["frames (5)", "frames (9)", "ff00"]
    assert ytvis.read(ytvis.write(shared, tmp_path / "b.json")) == shared


def test_a_failing_write_leaves_the_old_file(tmp_path, dataset):
    path = ytvis.write(dataset, tmp_path / "new" / "a.json")
    before = path.read_bytes()
    tracks = (Track(1, 5, 2, boxes=((0, 0, 1, 1),) * 4, areas=(float("nan"),) * 4),)
    with pytest.raises(ValueError):
        ytvis.write(replace(dataset, tracks=tracks), path)
    assert path.read_bytes() == before and os.listdir(path.parent) == ["a.json"]


ID, NAME = itemgetter(0), itemgetter(1)


@st.composite
def datasets(draw):
    """Any data set that a file can hold, at any level."""
    identifiers = st.integers(-(2**53), 2**53)
    names = st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="\0/\\"), min_size=1
    ).filter(lambda name: name not in (".", ".."))
    some = st.lists(st.tuples(identifiers, names), min_size=1, max_size=3, unique_by=(ID, NAME))
    categories = tuple(Category(identifier, name) for identifier, name in draw(some))
    videos = []
    for identifier, folder in draw(some):
        frames = tuple(f"{folder}/{t}.jpg" for t in range(draw(st.integers(1, 4))))
        videos.append(
            Video(identifier, folder, draw(st.integers(1, 9)), draw(st.integers(1, 9)), frames)
        )
    tracks = []
    for identifier in draw(st.lists(identifiers, min_size=1, max_size=4, unique=True)):
        video = draw(st.sampled_from(videos))
        bitmaps = draw(arrays.arrays(bool, (video.length, video.height, video.width)))
        encoded = tuple(masks.encode(mask) if mask.any() else None for mask in bitmaps)
        tracks.append(
            Track(
                id=identifier,
                video_id=video.id,
                category_id=draw(st.sampled_from(categories)).id,
                boxes=tuple(mask and masks.tight_box(mask) for mask in encoded),
                masks=encoded,
                areas=tuple(mask and draw(st.floats(0, 1e9)) for mask in encoded),
                is_crowd=draw(st.booleans()),
            )
        )
    dataset = VISDataset(tuple(videos), tuple(tracks), categories)
    return weaken(dataset, draw(st.sampled_from(LEVELS)), points=P5N5, seed=draw(st.integers(0, 9)))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("written") / "a.json"


@settings(max_examples=60)
@given(datasets())
def test_any_data_set_comes_back_from_its_file(scratch, dataset):
    assert ytvis.read(ytvis.write(dataset, scratch)) == dataset


def test_points_come_back_from_their_file(tmp_path, dataset):
    weak = weaken(dataset, "point", points=P5N5)
    again = ytvis.read(ytvis.write(weak, tmp_path / "points.json"))
    assert isinstance(again.tracks[0].points[0][0], Point)
    assert again.tracks[0].points[1] is None
