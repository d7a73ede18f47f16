"""Where the released Eigen-Cluster VIS code and the paper's text part: each place, as data.

Paper: its sections, equations and figures as printed. Code: the repository that the paper links to
(farnooshar/EigenClusterVIS, commit 67fe754), as read and as run on small inputs, which evis holds
as the flavour "released" and in the recipes that end in ".released". What it does with colours,
patches and pairs of neighbours it has from [28], MaskFreeVIS. Nothing here says which of the two
made the paper's tables: nobody tells, and released code may be older or newer than the numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import pandas as pd

from evis.papers.eigencluster import both_ways, same_input
from evis.papers.eigencluster.both_ways import Values
from evis.papers.eigencluster.experiments import BOTH, TK
from evis.papers.eigencluster.same_input import Batch

Kind = Literal["formula", "two readings", "schedule", "unsaid"]
Topic = Literal["TEL", "QCC", "frames and TK", "boxes and weights", "training"]
KINDS, TOPICS = get_args(Kind), get_args(Topic)
MEANING = {
    "formula": "the paper writes one thing, the code computes another",
    "two readings": "the text contradicts itself or can't be meant as printed; the code takes one",
    "schedule": "the paper gives another number or another input for training",
    "unsaid": "the paper leaves it open or to a reference; beside it stands the plainest reading",
}

# Measured rows with all differences of the loss at once: without TEL and QCC, and with them.
_IN_STAGE_TWO = (f"{TK}, released", TK)
_IN_STAGE_THREE = (f"{BOTH}, released", BOTH)


@dataclass(frozen=True)
class Difference:
    id: str
    topic: Topic
    title: str
    place: str  # in the paper
    paper: str  # what it says
    code: str  # what the released code does
    kind: Kind
    changes: str  # in training
    compute: Callable[[Batch], Values]  # of both, on the same input
    rows: tuple[str, str] | None = None  # measured: as the code has it, as the paper has it


DIFFERENCES = (
    Difference(
        "tel.signs",
        "TEL",
        "A pixel's feature",
        "Eqs. 4-5",
        "The resized logit itself: a pixel that is surer has stronger edges.",
        "The logit divided by its own length, an L2 norm over an axis of length one: its sign.",
        "formula",
        "Confidence no longer counts. Alone this would leave a TEL that compares areas.",
        both_ways.signs,
        _IN_STAGE_THREE,
    ),
    Difference(
        "tel.generalised",
        "TEL",
        "The eigenproblem",
        "Eqs. 7-8",
        "Eigenvalues of the Laplacian D - A.",
        "Generalised eigenvalues, (D - A) v = lambda D v.",
        "formula",
        "Any mask of both signs has the spectrum 0, 0, 1, 1, ...: TEL can't tell two masks apart.",
        both_ways.generalised,
        _IN_STAGE_THREE,
    ),
    Difference(
        "tel.solver",
        "TEL",
        "How eigenvalues are found",
        "Eq. 8",
        "Eig(La, Y): the first Y, no method named.",
        "A sparse Lanczos solver on the CPU, in single precision, on a singular matrix.",
        "unsaid",
        "What is left of TEL is this solver's rounding error.",
        both_ways.solver_noise,
        _IN_STAGE_THREE,
    ),
    Difference(
        "tel.gradient",
        "TEL",
        "Gradient through TEL",
        "Abstract; III-D; Eq. 13",
        "TEL is minimised; the product in Eq. 13 has a slope in L_eig.",
        "Eigenvalues are detached from the graph.",
        "formula",
        "No pixel is ever moved for the sake of its eigenvalues.",
        both_ways.tel_gradient,
        _IN_STAGE_THREE,
    ),
    Difference(
        "tel.factor",
        "TEL",
        "A loss or a factor",
        "Abstract and III-D; III-B and Eq. 13",
        'A "loss function" in some places, a "coefficient" of L_tk in Eq. 13.',
        "The factor of Eq. 13. The raw value is logged under a name without a weight: no loss.",
        "two readings",
        "Formula and code agree that it is a factor. Given the rows above, the code's is 1.",
        both_ways.tel_factor,
        _IN_STAGE_THREE,
    ),
    Difference(
        "tel.norm",
        "TEL",
        "Sum or mean of the differences",
        "Eq. 10; abstract, III-D, Fig. 4",
        'An L1 norm in Eq. 10, the sum over N instances and Y eigenvalues; "MAE" in words.',
        "The mean, as in the words.",
        "two readings",
        "TEL's weight does not grow with the number of instances; beta means N Y times less.",
        both_ways.tel_norm,
        _IN_STAGE_THREE,
    ),
    Difference(
        "tel.pixels",
        "TEL",
        "How many pixels remain",
        "III-D, step 2; Eq. 4",
        "H'W'/S pixels: with S = 4 a quarter, half of each side.",
        "Each side divided by S: H'W'/S^2, with S = 4 a sixteenth.",
        "formula",
        "The eigenvalues see a coarser mask.",
        both_ways.tel_pixels,
        (BOTH, "S = 2"),
    ),
    Difference(
        "tel.instances",
        "TEL",
        "How many instances a batch has",
        "III-D, step 1",
        "N = B x I, as if all clips had the same number I.",
        "The matched objects of all clips, one after another.",
        "two readings",
        "Only that clips with many objects count for more in a mean over N.",
        both_ways.instances,
    ),
    Difference(
        "qcc.class",
        "QCC",
        "What Q multiplies",
        "the equation after Eq. 14",
        'L_spatial + L_temporal. (Under Eq. 3 it says "the final loss".)',
        "Every term, the classification loss too.",
        "formula",
        "Masks are not raised against classes: a common factor, which AdamW and clipping undo.",
        both_ways.quality_class,
        _IN_STAGE_THREE,
    ),
    Difference(
        "qcc.gradient",
        "QCC",
        "Gradient through Q",
        "III-C, step 4",
        "A lower Q encourages the network to learn better features.",
        "K-means and score are scikit-learn's, outside of the graph: Q is a number.",
        "formula",
        "Nothing lowers Q on purpose. evis detaches it in both flavours; its soft Q is an extra.",
        both_ways.quality_gradient,
    ),
    Difference(
        "qcc.single",
        "QCC",
        "Clips with one instance",
        "Eq. 2",
        "With K = 1 the maximum is over nothing; no rule is given.",
        "Q counts where K is at least 2; else its score is 0.",
        "unsaid",
        "About half of the toy videos add nothing to Q.",
        both_ways.quality_single,
    ),
    Difference(
        "qcc.mean",
        "QCC",
        "Sum or mean over the batch",
        "III-C, step 4; Eq. 3",
        '"The sum of the d_b values plus one" in words, with 1/B in Eq. 3.',
        "The mean, as in Eq. 3.",
        "two readings",
        "Q does not grow with the batch.",
        both_ways.quality_mean,
    ),
    Difference(
        "qcc.restarts",
        "QCC",
        "Which clustering",
        "Eq. 1",
        "The partition of least within-cluster variance.",
        "scikit-learn's K-means (random_state = 0) with as many starts as its version takes: ten "
        "before 1.4, and the authors' Python 3.7 has no later one; one since (measured here).",
        "unsaid",
        "With one start Q jumps now and then without cause in the features (notebook 03 shows it).",
        both_ways.quality_restarts,
        _IN_STAGE_THREE,
    ),
    Difference(
        "qcc.pixels",
        "QCC",
        "How many points are clustered",
        "III-C, step 1",
        "T H'W'/S points.",
        "T H'W'/S^2, as in TEL.",
        "formula",
        "Q is seen on a coarser grid, where outlines blur.",
        both_ways.quality_pixels,
        (BOTH, "S = 2"),
    ),
    Difference(
        "qcc.queries",
        "QCC",
        "What is clustered",
        "III-A; III-C, step 1; Fig. 3",
        '"Features corresponding to the instances", with C channels.',
        "Mask logits of all queries, matched or not: 100, with Swin-L 200 (10 in the toy model).",
        "unsaid",
        "Q also judges queries that answer for no object.",
        both_ways.quality_queries,
    ),
    Difference(
        "qcc.class_shape",
        "QCC",
        "What the classifier says",
        "III-A",
        "U has D x T x H x W numbers a clip: a category for every pixel of every frame.",
        "Mask2Former's: one vector of categories a query, for the whole clip.",
        "two readings",
        "None: a slip of notation, listed for whoever builds from the text alone.",
        both_ways.class_shape,
    ),
    Difference(
        "pairs.printed",
        "frames and TK",
        "Eq. 14 as printed",
        "Eq. 14",
        "t runs from 1 to T; psi(t, t+1) while t < T-1, then psi(t+1, 0). Wherever frames are "
        "counted from, one pair is missing and one names a frame that is not there. Fig. 4 says "
        '"cyclically", and so evis reads it.',
        "Pairs of frames that exist.",
        "two readings",
        "None where it is read as meant; as printed, two of three pairs would be lost.",
        both_ways.printed_pairs,
    ),
    Difference(
        "pairs.all",
        "frames and TK",
        "Cycle or all pairs",
        "Eq. 14; Fig. 4",
        "Each frame with the next, the last with the first.",
        "Three pairs, written out: (0,1), (0,2), (1,2).",
        "formula",
        "None with three frames, and the code has no others. (evis's released flavour takes all "
        "pairs of a longer clip.)",
        both_ways.pairs_of_three,
        _IN_STAGE_TWO,
    ),
    Difference(
        "pairs.gap",
        "frames and TK",
        "How far frames lie apart",
        "III-D; Fig. 4",
        "Adjacent, successive, consecutive frames.",
        "Three frames, drawn from 5 before to 5 after a random one, in random order; one of them "
        "can come twice.",
        "unsaid",
        "TK and TEL compare frames with motion between them. (Toy rows: frames from anywhere in a "
        "short video, in their order.)",
        both_ways.gaps,
    ),
    Difference(
        "tk.mean",
        "frames and TK",
        "What L_tk is divided by",
        "Eq. 12",
        "H'W', the number of pixels, whether they have matches or not.",
        "The number of matches.",
        "formula",
        "Where few pixels match, the code's term is many times as strong.",
        both_ways.tk_mean,
        _IN_STAGE_TWO,
    ),
    Difference(
        "tk.boxes",
        "frames and TK",
        "Where L_tk looks",
        "Eq. 12",
        "At all pixels p.",
        "At pixels that lie in the object's box in any of the frames.",
        "formula",
        "Background far from the object is not compared.",
        both_ways.tk_boxes,
        _IN_STAGE_TWO,
    ),
    Difference(
        "tk.matches",
        "frames and TK",
        "What counts as a match",
        "III-A; IV-B",
        '"The TK-Loss settings as outlined in [28]": no numbers.',
        "3x3 patches of LAB at 1/4 size, nine candidates 3 pixels apart; of these the best five "
        "whose similarity reaches 0.05.",
        "unsaid",
        "On toy videos few candidates pass, so TK says little (notebook 04).",
        both_ways.tk_matches,
    ),
    Difference(
        "tk.direction",
        "frames and TK",
        "Which frame asks",
        "III-A; Eqs. 11-12",
        "A pixel of the first frame has matches in the second.",
        "A pixel of the second frame has candidates in the first.",
        "formula",
        "Next to nothing: over a cycle every frame asks once.",
        both_ways.direction,
    ),
    Difference(
        "tk.factor",
        "frames and TK",
        "The temporal term's factor",
        "the equation after Eq. 14",
        "L_temporal is added as it is.",
        "It is multiplied by 0.1 first.",
        "unsaid",
        "TK and TEL count for a tenth of what the formula says.",
        both_ways.temporal_factor,
    ),
    Difference(
        "tk.warm_up",
        "frames and TK",
        "Warm-up of the temporal term",
        "not mentioned",
        "None.",
        "Linear over 2000 calls of the loss, one a decoder layer: 200 steps. The counter is kept "
        "with the weights, so that stage three, which loads trained ones, presumably has none.",
        "unsaid",
        "Little. (Toy rows have 100 steps of it in either stage, which is more in a stage of 150: "
        "notebook 11 has rows without.)",
        both_ways.warm_up,
    ),
    Difference(
        "tel.beta",
        "frames and TK",
        "beta",
        "Eq. 13; IV-B",
        '"Adjusted based on backbone complexity": no number. (1 is our stand-in.)',
        "0.16 for R50, 1 for R101 and Swin-L.",
        "unsaid",
        "With the code's eigenvalues none, as beta multiplies 0. With the paper's, a lot.",
        both_ways.beta,
        (BOTH, "beta = 1"),
    ),
    Difference(
        "boxes.colours",
        "boxes and weights",
        "Colours that are compared",
        "III-E",
        '"Similar colors": no colour space named.',
        "LAB, of colours cut to whole numbers and with red and blue exchanged.",
        "unsaid",
        "Next to nothing: nearly the same neighbours are alike (notebook 04).",
        both_ways.colours,
        _IN_STAGE_TWO,
    ),
    Difference(
        "boxes.pairwise",
        "boxes and weights",
        "What L_pair is divided by",
        "III-E, by reference to [24]",
        "No formula here; BoxInst's own divides by all edges that touch the box.",
        "The similar edges seen from pixels in the box.",
        "unsaid",
        "Where few neighbours are alike, the code's term is many times as strong.",
        both_ways.pairwise_mean,
        _IN_STAGE_TWO,
    ),
    Difference(
        "boxes.threshold",
        "boxes and weights",
        "Which colours are similar",
        "III-E",
        "No threshold and no neighbourhood.",
        "Eight neighbours at distance 2 whose similarity reaches 0.3.",
        "unsaid",
        "Decides how many pixels the term speaks to.",
        both_ways.pairwise_threshold,
    ),
    Difference(
        "boxes.dice",
        "boxes and weights",
        "The projection's dice",
        "III-E",
        '"The Dice loss function".',
        "A dice with squares below the line; matching and stage one use the one without.",
        "unsaid",
        "A little: both are least for the same mask.",
        both_ways.projection_dice,
    ),
    Difference(
        "boxes.hidden",
        "boxes and weights",
        "Frames where an object is hidden",
        "not mentioned",
        "Nothing. The plain reading: no box, nothing to project.",
        "An empty box costs 2 whatever the mask is. (Follows from the formula.)",
        "unsaid",
        "A constant without gradient: nothing teaches a mask to vanish with its object.",
        both_ways.hidden,
    ),
    Difference(
        "boxes.weights",
        "boxes and weights",
        "Weights of the terms",
        "the equation after Eq. 14",
        "Terms are added as they are.",
        "2 for class, 5 for projection, pairwise and temporal; 0.1 for the class no-object.",
        "unsaid",
        "Masks count for more against classes.",
        both_ways.weights,
    ),
    Difference(
        "boxes.matching",
        "boxes and weights",
        "Which query answers for which object",
        "III-E, last paragraph; Fig. 4",
        "Masks are turned into boxes and compared by dice at random points. (Fig. 4 speaks of "
        "ground-truth masks.)",
        "2 x class + 5 x dice, dice of tight boxes at 20,000 points.",
        "unsaid",
        "Where boxes are alike, the class decides.",
        both_ways.matching,
    ),
    Difference(
        "train.rate",
        "training",
        "Learning rate of stage three",
        "IV-B",
        "1e-4 in all three stages.",
        "1e-5.",
        "schedule",
        "Stage three moves the weights about a tenth as far.",
        both_ways.learning_rate,
    ),
    Difference(
        "train.stage_two",
        "training",
        "Steps of stage two",
        "IV-B",
        "6k.",
        "70,000 in the configuration of the first two stages (R50); 6,000 in a folder for training "
        "without COCO. The README sends the reader to MaskFreeVIS for these stages, and stage "
        'three loads a file of that name and "0466", as Table I has 46.6 for Mask-free VIS.',
        "schedule",
        "How far TK's row has come before stage three begins.",
        both_ways.steps_of_stage_two,
    ),
    Difference(
        "train.steps",
        "training",
        "Steps of stage three",
        "IV-B",
        "Up to 4k, depending on the backbone.",
        "About 2300 (R50), 2700 (R101) and 2400 (Swin-L).",
        "schedule",
        'None: compatible with "up to".',
        both_ways.steps,
    ),
    Difference(
        "train.stills",
        "training",
        "What is trained on",
        "IV-B",
        "Masks of COCO in stage one; then videos, with boxes only: no masks are available.",
        "Four of seven clips are pictures of COCO, four views of each (turned with Swin-L alone), "
        "and learn from the polygons of their file: BCE and dice, no temporal term. Videos have "
        "boxes only.",
        "schedule",
        "Stages two and three go on learning outlines from masks of pictures. evis's released "
        "recipes have boxes there too, as its weak supervision can't reach a mask; no measured row "
        "has pictures in these stages.",
        both_ways.stills,
    ),
    Difference(
        "train.clips",
        "training",
        "Length and size of a clip",
        "III-A",
        "T frames of H x W: no numbers.",
        "T = 3, the shorter side 360 or 480, a clip flipped or not.",
        "unsaid",
        "With T = 3 the cycle and all pairs are the same.",
        both_ways.clip_length,
    ),
    Difference(
        "train.backbone",
        "training",
        "Learning rate of the backbone",
        "IV-B",
        "1e-4 for all weights of backbone and heads in stages one and two.",
        "A tenth of the heads' rate, as Mask2Former has it.",
        "schedule",
        "None in stage three, where the backbone is frozen.",
        both_ways.backbone_rate,
    ),
    Difference(
        "train.precision",
        "training",
        "Mixed precision",
        "not mentioned",
        "Nothing.",
        "Mixed precision. Which kind is not known; here logits are rounded to 16 bits.",
        "unsaid",
        "Signs survive rounding. The paper's eigenvalues keep about two digits.",
        both_ways.half_precision,
    ),
    Difference(
        "train.clipping",
        "training",
        "Gradient clipping and weight decay",
        "IV-B, by reference",
        '"All settings of this network are preserved": no numbers.',
        "The whole gradient is cut to a length of 0.01; weight decay 0.05.",
        "unsaid",
        "While clipping bites, a factor of the whole loss, as the code's Q is, cancels.",
        both_ways.clipping,
    ),
)


@cache
def computed() -> dict[str, Values]:
    """Id -> both numbers, on the same input; a few seconds."""
    return {difference.id: difference.compute(same_input.batch()) for difference in DIFFERENCES}


def table() -> pd.DataFrame:
    """A line a difference, with what was computed."""
    lines = []
    for difference in DIFFERENCES:
        values = computed()[difference.id]
        lines.append(
            {
                "id": difference.id,
                "topic": difference.topic,
                "kind": difference.kind,
                "title": difference.title,
                "place": difference.place,
                "paper": difference.paper,
                "code": difference.code,
                "quantity": values.quantity,
                "by the paper": values.texts[0],
                "by the code": values.texts[1],
                "ratio": values.ratio,
                "changes": difference.changes,
            }
        )
    return pd.DataFrame(lines).set_index("id")


def rows_that_stand_for_them() -> pd.DataFrame:
    """Which two measured rows show what some of the differences change in training."""
    pairs = [difference.rows for difference in DIFFERENCES if difference.rows]
    lines = [(*pair, pairs.count(pair)) for pair in dict.fromkeys(pairs)]
    columns = ["nearer to the code", "nearer to the text", "differences it stands for"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])
