"""FlowCut's stages, and VideoCutLER's, which it is measured against: both go on from CutLER.

FlowCut published no code. What its section 4.1 does not say is VideoCutLER's, from whose released
configuration it has the network, the dropout and the changes of frames. `toy` shrinks any stage to
64 x 96 frames, a tiny model and two CPU cores.
"""

from dataclasses import replace

from evis.training.book import Book, shrunk
from evis.training.mask_stage import TOY, MaskStage

# In released code of Mask2Former the rate reaches the pixel decoder alone.
_DECODERS = "which decoders drop: the pixels' and the queries'"
_CROPS = "frames are also cropped there at random, to sides of 600 to 720: here they are not"
_RATE = "the learning rate: the configuration's, where its README has 5e-6"

VIDEOCUTLER = MaskStage(
    name="videocutler",
    title="VideoCutLER: pictures three times over, with pasted objects that move",
    source="VideoCutLER's released configuration",
    supervision="none",
    init="cutler.round2",
    mixture=(("stills", 1.0),),
    still_frames=3,
    rotation=0.0,
    shift=0.0,
    copy_paste=(0.8, 1.0),
    frame_rotation=15.0,
    brightness=0.1,
    contrast=0.1,
    dropout=0.3,
    steps=80_000,
    batch=16,
    learning_rate=2e-5,
    unknown=(_DECODERS, _CROPS, _RATE, "over how many GPUs a batch was spread (micro_batch)"),
)
FLOWCUT = replace(
    VIDEOCUTLER,
    name="flowcut",
    title="FlowCut: two frames whose masks agree, cut from appearance and motion",
    source="FlowCut, section 4.1; what it does not say is VideoCutLER's",
    mixture=(("videos", 1.0),),
    frames=2,
    frame_range=4,
    still_frames=4,
    copy_paste=(),
    shorter_sides=(360,),
    longest_side=640,
    steps=5_000,
    batch=4,
    micro_batch=4,  # one GPU
    learning_rate=1e-6,
    unknown=(
        _DECODERS,
        "how far frames are turned, and their brightness and contrast changed",
        "weight decay, clipping of gradients, the backbone's share of the learning rate, and when "
        "that falls, if ever",
        "frames of another shape than 360 x 640: as large as fits, where the paper may stretch",
    ),
)
STILLS = replace(
    FLOWCUT,
    name="flowcut.stills",
    title="FlowCut with pictures beside its pairs: what DAVIS is tested with",
    mixture=(("videos", 167_365.0), ("stills", 50_000.0)),
    still_frames=VIDEOCUTLER.still_frames,
    copy_paste=VIDEOCUTLER.copy_paste,
    steps=80_000,
    unknown=(*FLOWCUT.unknown, "in what shares pairs and pictures alternate: by their numbers"),
)

_BOOK = Book((VIDEOCUTLER, FLOWCUT, STILLS), backbones=("r50",))
NAMES, named = _BOOK.names, _BOOK.named
# Steps and learning rate. FlowCut's is lower than what it starts from was trained with, as in the
# paper, but by far less: README.
_TOY = {"videocutler": (500, 5e-4), "flowcut": (300, 2e-4), "flowcut.stills": (500, 2e-4)}


def toy(recipe: MaskStage) -> MaskStage:
    """The same stage for the toy sets."""
    steps, learning_rate = _TOY[recipe.name]
    return shrunk(recipe, TOY | {"steps": steps, "learning_rate": learning_rate})
