"""Pictures as people have them: 16 bits, fractions, turned by EXIF, one pixel, cut off."""

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from evis.data import DataError, video
from evis.data.frames import PictureFolder, read_picture
from evis.data.types import Video


def saved(path, picture, orientation=None, **options):
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(picture).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_become_8(tmp_path, suffix):
    values = np.arange(0, 65536, 128, dtype=np.uint16).reshape(16, 32)
    picture = read_picture(saved(tmp_path / f"a{suffix}", values))
    assert picture.shape == (16, 32, 3) and picture.dtype == np.uint8
    assert np.abs(picture - values[..., None] / 257).max() <= 0.5
    ends = np.array([[0, 65535]], dtype=np.uint16)
    assert read_picture(saved(tmp_path / f"b{suffix}", ends))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_without_a_known_range_are_refused(tmp_path, kind):
    path = saved(tmp_path / "a.tif", np.ones((4, 4), kind))
    with pytest.raises(DataError, match="a.tif, video v, frame 2: .*32 bits.*8-bit or 16-bit"):
        read_picture(path, "v", 2)


QUARTERS = np.array([[10, 80, 80], [150, 220, 220]], np.uint8).repeat(8, 0).repeat(8, 1)
SEEN = {  # how a viewer shows a picture with this orientation
    1: QUARTERS,
    2: QUARTERS[:, ::-1],
    3: QUARTERS[::-1, ::-1],
    4: QUARTERS[::-1],
    5: QUARTERS.T,
    6: np.rot90(QUARTERS, -1),
    7: QUARTERS[::-1, ::-1].T,
    8: np.rot90(QUARTERS),
}


@pytest.mark.parametrize("orientation", SEEN)
def test_pictures_are_turned_as_people_saw_them(tmp_path, orientation):
    path = saved(tmp_path / "a.png", QUARTERS, orientation)
    seen = SEEN[orientation]
    assert np.array_equal(read_picture(path)[..., 0], seen)
    dataset = video.read(tmp_path)
    assert (dataset.videos[0].height, dataset.videos[0].width) == seen.shape
    assert np.array_equal(dataset.frame(1, 0)[..., 0], seen)


@pytest.mark.parametrize("orientation", [6, 8])
def test_a_picture_annotated_as_it_is_stored_stays_so(tmp_path, orientation):
    saved(tmp_path / "a.png", QUARTERS, orientation)
    folder = PictureFolder(tmp_path)
    stored = folder(Video(1, "v", *QUARTERS.shape, ("a.png",)), 0)
    assert np.array_equal(stored[..., 0], QUARTERS)
    upright = folder(Video(1, "v", *QUARTERS.shape[::-1], ("a.png",)), 0)
    assert np.array_equal(upright[..., 0], SEEN[orientation])


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_picture_of_another_size_is_refused_before_it_is_decoded(tmp_path, orientation):
    """A file of a few kB can hold a hundred million pixels: this one's can't be decoded at all."""
    path = saved(tmp_path / "a.png", QUARTERS, orientation)
    path.write_bytes(path.read_bytes().replace(b"IDAT", b"IDAT" + bytes(9)))
    folder, (height, width) = PictureFolder(tmp_path), SEEN[orientation].shape
    with pytest.raises(DataError, match="a.png, video v, frame 0: .*can't be decoded"):
        folder(Video(1, "v", height, width, ("a.png",)), 0)
    said = rf"a.png, video v, frame 0: the picture is {height} x {width} .* its video 9 x {width}"
    with pytest.raises(DataError, match=said):
        folder(Video(1, "v", 9, width, ("a.png",)), 0)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, of what it makes do with
def test_garbled_exif_raises_nothing_but_data_errors(tmp_path):
    path = saved(tmp_path / "a.jpg", QUARTERS, 6)
    whole, generator = np.frombuffer(path.read_bytes(), dtype=np.uint8), np.random.default_rng(0)
    for _ in range(300):
        garbled = whole.copy()
        garbled[generator.integers(0, 80, 3)] = generator.integers(0, 256, 3)
        path.write_bytes(garbled.tobytes())
        try:
            assert read_picture(path).ndim == 3
        except DataError as error:
            assert error.file == path


@pytest.mark.parametrize("form", ["EPS", "DDS", "PCX", "GIF", "TGA"])
def test_a_frame_is_of_a_kind_that_frames_have_whatever_it_is_called(tmp_path, form):
    """Of the kinds that Pillow knows some run another program, some fail in their own way."""
    saved(tmp_path / "a.png", np.repeat(QUARTERS[..., None], 3, 2), format=form)
    with pytest.raises(DataError, match="a.png: the frame can't be decoded"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("error", [NotImplementedError, RuntimeError, EOFError, IndexError])
def test_whatever_a_decoder_raises_is_an_error_of_the_picture(tmp_path, monkeypatch, error):
    def fails(self):
        raise error("of a decoder")

    path = saved(tmp_path / "a.png", QUARTERS)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fails)
    with pytest.raises(DataError, match=r"a.png: the frame can't be decoded \(of a decoder"):
        read_picture(path)


def test_a_frame_of_one_pixel(tmp_path):
    saved(tmp_path / "a.png", np.full((1, 1), 7, np.uint8))
    dataset = video.read(tmp_path)
    assert dataset.frame(1, 0).tolist() == [[[7, 7, 7]]]
