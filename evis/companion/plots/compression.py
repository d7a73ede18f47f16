"""Pictures that stay small in the repository: few colours, JPEG for photographs, no needless bytes.

A figure is committed as PDF and PNG, and history keeps every version. So a file is held below
`LIMIT`, and where a new picture looks like the old one, the old one's bytes stay.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_pdf import Name, PdfFile
from matplotlib.figure import Figure
from PIL import Image, ImageChops, ImageSequence

LIMIT = 150_000  # bytes of one file of a figure
RESOLUTIONS = (200, 150, 120, 100, 80, 60)  # dots an inch, the best first
JPEG_QUALITY = 80
BLOCK = 8  # pixels a side; in blocks this large a changed digit is seen, and noise is not
VISIBLE = 24  # grey levels, of 256, by which a block differs: noise makes 15, a digit 33 and more


def rendered(figure: Figure) -> dict[str, bytes]:
    """The figure as "pdf" and "png", each at the finest resolution that stays below the limit."""
    with _laid_out(figure):
        return {name: _below_limit(figure, save) for name, save in SAVE.items()}


def _below_limit(figure: Figure, save: Callable[[Figure, int], bytes]) -> bytes:
    for resolution in RESOLUTIONS:
        content = save(figure, resolution)
        if len(content) <= LIMIT:
            break
    return content


def few_colours(png: bytes, rounds: int = 0) -> bytes:
    """The picture in its best colours: a third of the size, and hardly to be told apart.

    rounds: of K-means, by which colours of a map keep their own; a second each for a large figure.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    content = io.BytesIO()
    few = picture.quantize(256, kmeans=rounds, dither=Image.Dither.NONE)
    few.save(content, "png", optimize=True)
    return content.getvalue()


def smallest(png: bytes) -> tuple[str, bytes]:
    """The picture and its media type: JPEG for a photograph, few colours for a plot."""
    few, jpeg = few_colours(png), _jpeg(Image.open(io.BytesIO(png)).convert("RGB"))
    return ("image/jpeg", jpeg) if 1.25 * len(jpeg) < len(few) else ("image/png", few)


def gif(frames: Sequence[np.ndarray], seconds: float) -> bytes:
    """An animation that starts over again, after a while on its last frame.

    Its palettes are by octree: by median cut a small thing loses its colour to a large background.
    """
    how = {"method": Image.Quantize.FASTOCTREE, "dither": Image.Dither.NONE}
    pictures = [Image.fromarray(frame).quantize(128, **how) for frame in frames]
    content = io.BytesIO()
    durations = [1000 * seconds] * (len(pictures) - 1) + [1500]
    pictures[0].save(
        content, "gif", save_all=True, append_images=pictures[1:], duration=durations, loop=0
    )
    return content.getvalue()


def looks_like(figure: Figure, png: bytes) -> bool:
    """Whether the figure, drawn as finely as this picture of it was, looks the same to a reader."""
    with _laid_out(figure), Image.open(io.BytesIO(png)) as before:
        inches = figure.get_tightbbox().width + 2 * mpl.rcParams["savefig.pad_inches"]
        resolution = min(RESOLUTIONS, key=lambda dots: abs(dots * inches - before.width))
        drawn = _saved(figure, "png", resolution, {"Software": None})
    return look_alike(png, drawn) or look_alike(png, few_colours(drawn))


def look_alike(one: bytes, other: bytes) -> bool:
    """Whether a reader would see no difference between two files of pictures or animations."""
    first, second = (
        [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]
        for content in (one, other)
    )
    if [frame.size for frame in first] != [frame.size for frame in second]:
        return False
    differences = (
        ImageChops.difference(*pair).convert("L") for pair in zip(first, second, strict=True)
    )
    return all(each.reduce(BLOCK).getextrema()[1] < VISIBLE for each in differences)


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "jpeg", quality=JPEG_QUALITY, optimize=True)
    return content.getvalue()


def _png(figure: Figure, resolution: int) -> bytes:
    return few_colours(_saved(figure, "png", resolution, {"Software": None}), rounds=1)


def _pdf(figure: Figure, resolution: int) -> bytes:
    with _photographs_as_jpeg():
        return _saved(figure, "pdf", resolution, {"CreationDate": None})


SAVE = {"pdf": _pdf, "png": _png}


def _saved(figure: Figure, suffix: str, resolution: int, metadata: dict[str, None]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=suffix, dpi=resolution, metadata=metadata, bbox_inches="tight")
    return content.getvalue()


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Inside, the figure's layout stays as it is: computed anew, it would creep with every save."""
    engine = figure.get_layout_engine()
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    # Matplotlib would lay out, by the defaults, a figure that was made without a layout.
    with mpl.rc_context({"figure.constrained_layout.use": False}):
        try:
            yield
        finally:
            figure.set_layout_engine(engine)


@contextmanager
def _photographs_as_jpeg() -> Iterator[None]:
    """Inside, matplotlib's PDFs hold photographs as JPEG, which it can't write by itself.

    It deflates every picture, which is right for a map of few colours and ten times too large for a
    photograph. Text and lines are not touched.
    """
    deflated = PdfFile._writeImg

    def write(file: PdfFile, pixels: np.ndarray, number: int, smask=None) -> None:
        picture = Image.fromarray(pixels.squeeze())
        if picture.mode != "RGB" or picture.getcolors(256) is not None:
            deflated(file, pixels, number, smask)
            return
        header = {
            "Type": Name("XObject"),
            "Subtype": Name("Image"),
            "Width": picture.width,
            "Height": picture.height,
            "ColorSpace": Name("DeviceRGB"),
            "BitsPerComponent": 8,
            "Filter": Name("DCTDecode"),
        } | ({"SMask": smask} if smask else {})
        with mpl.rc_context({"pdf.compression": 0}):  # the stream is compressed already
            file.beginStream(number, file.reserveObject("length of a JPEG"), header)
            file.currentstream.write(_jpeg(picture))
            file.endStream()

    with patch.object(PdfFile, "_writeImg", write):
        yield
