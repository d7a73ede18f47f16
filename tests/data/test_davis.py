"""The DAVIS-2017 layout: palette pictures there and back, void, and folders with parts missing."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evis.data import DataError, Track, davis, masks
from evis.data.supervision import weaken

HEIGHT, WIDTH = 12, 16


def labels(frame):
    """Objects 1 and 3, which touch, a strip of void, and from frame 1 on object 2."""
    picture = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    picture[2:6, frame : frame + 4] = 1
    picture[2:6, frame + 4 : frame + 8] = 3
    picture[6, 2:12] = davis.VOID
    if frame:
        picture[9:11, 3:5] = 2
    return picture


def save(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette(davis.palette().tobytes())
    picture.save(path)


def build(root, annotations=davis.UNSUPERVISED, names=("bear", "blackswan"), frames=3):
    for name in names:
        pictures = root / "JPEGImages" / "480p" / name
        pictures.mkdir(parents=True, exist_ok=True)
        for frame in range(frames):
            Image.new("RGB", (WIDTH, HEIGHT), (frame, 0, 0)).save(pictures / f"{frame:05}.jpg")
            target = root / annotations / "480p" / name / f"{frame:05}.png"
            save(target, labels(frame))
    listing = root / "ImageSets" / "2017" / "val.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("\n".join(names) + "\n")
    return root


@pytest.fixture
def root(tmp_path):
    return build(tmp_path / "DAVIS")


def test_the_layout_is_read(root):
    dataset = davis.read(root)
    assert [(v.id, v.name, v.length) for v in dataset.videos] == [
        (1, "bear", 3),
        (2, "blackswan", 3),
    ]
    assert [track.id for track in dataset.tracks] == [1, 2, 3, 4, 5, 6]
    assert dataset.supervision == "mask" and dataset.category_names == {1: "object"}
    stack = dataset.mask_stack(2)
    for frame in range(3):
        for n, index in enumerate((1, 2, 3)):
            assert np.array_equal(stack[n, frame], labels(frame) == index)
    first, second, _ = dataset.tracks_of(1)
    assert second.masks[0] is None and second.boxes[0] is None and second.areas[0] is None
    assert first.boxes[1] == (1, 2, 4, 4) and first.areas == (16, 16, 16)
    assert dataset.frame(1, 2).shape == (HEIGHT, WIDTH, 3)


def test_void_is_no_object(root):
    assert not davis.read(root).mask_stack(1)[:, :, 6].any()


def test_written_labels_read_back_equal(root, tmp_path):
    dataset = davis.read(root)
    davis.write(dataset, tmp_path / "copy")
    shutil.copytree(root / "JPEGImages", tmp_path / "copy" / "JPEGImages")
    copy = davis.read(tmp_path / "copy")
    assert (copy.videos, copy.tracks) == (dataset.videos, dataset.tracks)
    path = davis.UNSUPERVISED, "480p", "bear", "00001.png"
    assert np.array_equal(
        np.asarray(Image.open(tmp_path.joinpath("copy", *path))),
        np.where(labels(1) == davis.VOID, 0, labels(1)),
    )


def test_the_palette_is_the_one_of_davis(root, tmp_path):
    colours = davis.palette()
    assert colours.shape == (256, 3) and len({tuple(c) for c in colours.tolist()}) == 256
    assert colours[:5].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert colours[[8, 20, 255]].tolist() == [[64, 0, 0], [0, 64, 128], [224, 224, 192]]
    davis.write(davis.read(root), tmp_path / "copy")
    with Image.open(label(tmp_path / "copy")) as picture:
        assert picture.mode == "P"
        assert picture.getpalette() == colours.ravel().tolist()


def test_other_labels_of_the_same_videos_are_read_by_their_folder(root):
    motion = "Annotations_unsupervised_motion"
    build(root, motion)
    for frame in range(3):
        joined = (labels(frame) > 0).astype(np.uint8)
        save(root / motion / "480p" / "bear" / f"{frame:05}.png", joined)
    dataset = davis.read(root, annotations=motion)
    assert [len(dataset.tracks_of(v.id)) for v in dataset.videos] == [1, 3]
    assert dataset.videos == davis.read(root).videos


def test_grey_label_pictures_count_as_indexed(root):
    path = root / davis.UNSUPERVISED / "480p" / "bear" / "00000.png"
    before = davis.read(root)
    Image.fromarray(labels(0)).save(path)
    assert davis.read(root) == before


def label(root, name="00001.png"):
    return root / davis.UNSUPERVISED / "480p" / "bear" / name


SPOILERS = {
    "label missing": (
        lambda root: label(root).unlink(),
        ["00001.png, video bear, frame 1", "label picture is missing"],
    ),
    "label cut off": (
        lambda root: label(root).write_bytes(label(root).read_bytes()[:60]),
        ["video bear, frame 1", "can't be decoded"],
    ),
    "label of another size": (
        lambda root: save(label(root), labels(0)[:-1]),
        ["video bear, frame 1", "label picture is 11 x 16", "frame 12 x 16"],
    ),
    "label in colours": (
        lambda root: Image.new("RGB", (WIDTH, HEIGHT)).save(label(root)),
        ["video bear, frame 1", "is RGB, not indexed", "palette PNGs"],
    ),
    "frame missing": (
        lambda root: (root / "JPEGImages" / "480p" / "bear" / "00001.jpg").unlink(),
        ["00001.png, video bear", "has no frame", "Unpack the frames"],
    ),
    "frames missing": (
        lambda root: (root / "JPEGImages" / "480p" / "bear").rename(root / "elsewhere"),
        ["video bear", "missing or holds no .jpg", "Unpack the 480p frames"],
    ),
    "list missing": (
        lambda root: (root / "ImageSets" / "2017" / "val.txt").unlink(),
        ["val.txt", "can't be read", "holds ImageSets"],
    ),
    "list empty": (
        lambda root: (root / "ImageSets" / "2017" / "val.txt").write_text("\n \n"),
        ["val.txt", "set is empty"],
    ),
    "video listed twice": (
        lambda root: (root / "ImageSets" / "2017" / "val.txt").write_text("bear\nbear\n"),
        ["val.txt", "names one twice"],
    ),
    **{
        f"a name that is {name!r}": (
            lambda root, name=name: (root / "ImageSets/2017/val.txt").write_text(f"bear\n{name}\n"),
            ["val.txt", "is not the name of a video's folder", "without paths"],
        )
        for name in ("..", ".", "../../bear", "/etc", "bear/", "a\0b")
    },
    **{
        f"{part} is a link": (
            lambda root, part=part: moved_away(root, part),
            [f"DAVIS/{part}", ": is a link that leads out of"],
        )
        for part in (
            "JPEGImages",
            "JPEGImages/480p/bear",
            "JPEGImages/480p/bear/00000.jpg",
            "Annotations_unsupervised/480p",
            "Annotations_unsupervised/480p/bear",
            "Annotations_unsupervised/480p/bear/00001.png",
            "ImageSets/2017/val.txt",
        )
    },
    **{
        f"{part} is a link to itself": (
            lambda root, part=part: led_to_itself(root / part),
            [str(Path(part).stem), said],
        )
        for part, said in (
            ("JPEGImages/480p/bear", "the folder is missing"),
            ("JPEGImages/480p/bear/00000.jpg", "can't be decoded"),
            ("Annotations_unsupervised/480p/bear", "can't be decoded"),
            ("Annotations_unsupervised/480p/bear/00001.png", "can't be decoded"),
            ("ImageSets/2017/val.txt", "the list of videos can't be read"),
        )
    },
}


def moved_away(root, part):
    """What was there lies outside, and a link leads to it."""
    (root / part).rename(root.parent / "outside")
    (root / part).symlink_to(root.parent / "outside")


def led_to_itself(path):
    path.rename(path.parent / "before")
    path.symlink_to(path.name)


@pytest.mark.parametrize("case", SPOILERS)
def test_missing_and_damaged_parts_are_named(root, case):
    spoil, expected = SPOILERS[case]
    spoil(root)
    with pytest.raises(DataError) as caught:
        davis.read(root)
    for part in expected:
        assert part in str(caught.value)


def encoded(picture, form="PNG"):
    content = io.BytesIO()
    picture.save(content, format=form)
    return content.getvalue()


def noise(*shape, kind=np.uint8):
    return np.random.default_rng(0).integers(0, 4, (HEIGHT, WIDTH, *shape)).astype(kind)


SHADES = Image.fromarray(labels(1))
NO_LABELS = {
    "no byte": b"",
    "text": b"bear, frame 1\n",
    "half": encoded(SHADES)[: len(encoded(SHADES)) // 2],
    "a signature only": encoded(SHADES)[:8],
    "JPEG": encoded(SHADES, "JPEG"),
    "GIF": encoded(SHADES, "GIF"),
    "16 bits": encoded(Image.fromarray(noise(kind=np.uint16))),
    "RGB": encoded(Image.fromarray(noise(3))),
    "RGBA": encoded(Image.fromarray(noise(4))),
    "grey and alpha": encoded(Image.fromarray(noise(2), mode="LA")),
    "one bit": encoded(SHADES.convert("1")),
    "on its side": encoded(SHADES.transpose(Image.Transpose.ROTATE_90)),
    "twice as large": encoded(SHADES.resize((2 * WIDTH, 2 * HEIGHT))),
}


@pytest.mark.parametrize("content", NO_LABELS.values(), ids=NO_LABELS)
def test_a_file_that_is_no_label_picture_is_named_in_one_line(root, content):
    label(root).write_bytes(content)
    with pytest.raises(DataError) as caught:
        davis.read(root)
    message = str(caught.value)
    assert message.startswith(f"file {label(root)}, video bear, frame 1: ")
    assert "\n" not in message and len(message) < 400


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("colours", [4, 256])
def test_the_index_counts_whatever_the_palette_and_the_bits(root, bits, colours):
    before = davis.read(root)
    small = np.where(labels(1) == davis.VOID, 0, labels(1))  # void needs 8 bits
    picture = Image.fromarray(small, mode="P")
    picture.putpalette(np.random.default_rng(bits).integers(0, 256, 3 * colours).tolist())
    picture.save(label(root), bits=bits, transparency=1)
    assert davis.read(root) == before


def test_damaged_bytes_anywhere_give_labels_or_one_error(root):
    whole = np.frombuffer(label(root).read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = whole.copy()
        content[rng.integers(0, len(content), rng.integers(1, 4))] = rng.integers(0, 256)
        label(root).write_bytes(content[: rng.integers(1, len(content) + 1)].tobytes())
        try:
            for track in davis.read(root).tracks:
                assert track.mask(1) is None or track.mask(1).shape == (HEIGHT, WIDTH)
        except DataError as error:
            refused += 1
            assert str(label(root)) in str(error)
    assert refused > 150


def test_names_with_spaces_are_one_name(tmp_path):
    root = build(tmp_path, names=("my cat",))
    assert davis.read(root).videos[0].name == "my cat"


def full_mask(dataset, video_id=1):
    mask = masks.encode(np.ones((HEIGHT, WIDTH), dtype=bool))
    return Track(99, video_id, 1, masks=(None, None, mask))


def refused(dataset, target, match):
    with pytest.raises(DataError, match=match):
        davis.write(dataset, target)
    assert not target.exists(), "nothing is half-written"


def test_what_a_label_picture_can_not_hold_is_refused(root, tmp_path):
    dataset, target = davis.read(root), tmp_path / "target"
    overlapping = replace(dataset, tracks=(*dataset.tracks, full_mask(dataset, 2)))
    refused(overlapping, target, "video blackswan, frame 2: track 99 overlaps another")
    hidden = [Track(100 + n, 1, 1, masks=(None,) * 3) for n in range(252)]
    refused(replace(dataset, tracks=(*dataset.tracks, *hidden)), target, "has 255 tracks.* 254")
    davis.write(replace(dataset, tracks=(*dataset.tracks, *hidden[1:])), tmp_path / "most")
    twins = tuple(replace(video, name="one") for video in dataset.videos)
    refused(
        replace(dataset, videos=twins),
        target,
        "two frames would be written into one file. Give every",
    )
    refused(weaken(dataset, "box"), target, "carries no masks")
    nested = tuple(replace(video, name=f"a/{video.name}") for video in dataset.videos)
    refused(replace(dataset, videos=nested), target, "a split file can't name it. Give it a name")
