"""What Eigen-Cluster VIS claims, in words or by a table's order, and what would decide it here.

In order of first place in the text. `says` is in evis's words. A claim is decided by comparisons
of measured rows (all of them must come out as claimed), or by a computation of `claim_checks`, or
`untestable` says why not. Left out are background, definitions, the orders of Tables II and IV in
columns other than AP but for the method's own, the data sets' statistics and the arithmetic of
printed numbers; the last two are for `evis.companion.audit`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from evis.companion.measured import CLIPS, CROWDED, TEST, UNSEEN, HeldOut
from evis.papers.eigencluster import claim_checks as checks
from evis.papers.eigencluster.claim_checks import Outcome
from evis.papers.eigencluster.experiments import BOTH, CONTROL, QCC, SIZES, TEL, TK
from evis.papers.eigencluster.temporal import SCHEMES

ALONE = ", no stage one"  # ends the names of the second regime's rows
_ABLATED = SIZES["r50"]  # Tables II to IV
_UNSEEN_SIZE = SIZES["r50"]  # Table V and Fig. 6, where the paper has Swin-L
_STAGE_THREE = {row + end for row in (TEL, QCC, BOTH) for end in ("", ALONE)}


@dataclass(frozen=True)
class Side:
    row: str
    metric: str = "AP"
    size: str = _ABLATED
    held_out: HeldOut = TEST


@dataclass(frozen=True)
class Comparison:
    """`left` is claimed to be above (or below) `right`."""

    left: Side
    right: Side
    published: str | None = None  # a formula over printed cells, for `formulas.evaluate`
    direction: Literal["higher", "lower"] = "higher"

    @property
    def against_control(self) -> "Comparison | None":
        """The same without the stage three's further steps, which TK's row did not have."""
        ends = {TK: CONTROL, TK + ALONE: CONTROL + ALONE}
        if self.left.row not in _STAGE_THREE or self.right.row not in ends:
            return None
        return replace(self, right=replace(self.right, row=ends[self.right.row]))


@dataclass(frozen=True)
class Claim:
    id: str
    place: str
    says: str
    tests: tuple[Comparison, ...] = ()
    check: Callable[[], Outcome] | None = None
    untestable: str = ""
    note: str = ""


def _cell(place: str) -> str:
    return f"[eigen-cluster-vis/{place}]"


def _printed(table: int, row: int, other: int, metric: str = "AP") -> str:
    return f"{_cell(f'{table}/{row}/{metric}')} - {_cell(f'{table}/{other}/{metric}')}"


def _of(row: str, other: str, published: str | None = None, direction="higher", **sides):
    return Comparison(Side(row, **sides), Side(other, **sides), published, direction)


# Table I: backbone -> printed rows of Mask2Former, + BoxInst, + Mask-free VIS, + Eigen-Cluster VIS
_TABLE_1 = {"r50": (6, 13, 14, 15), "r101": (21, 22, 23, 24), "swin_l": (27, 30, 31, 32)}
_NAMES = {"r50": "R50", "r101": "R101", "swin_l": "Swin-L"}
_MASKS, _BOXINST, _MASKFREE, _OURS = range(4)
_ROWS = ("masks", "boxes", TK, BOTH)
_OTHER_METRICS = ("AP50", "AP75", "AR1", "AR10")


def _table_1(backbone: str, row: int, other: int, direction="higher", metric="AP") -> Comparison:
    printed = _printed(1, _TABLE_1[backbone][row], _TABLE_1[backbone][other], metric)
    sides = {"size": SIZES[backbone], "metric": metric}
    return _of(_ROWS[row], _ROWS[other], printed, direction, **sides)


_UNPRINTED = {("swin_l", "AR1"), ("swin_l", "AR10")}  # of full masks


def _in_columns(row: int, other: int, direction="higher", columns=_OTHER_METRICS, but=()):
    """At every backbone, but for some (backbone, column)."""
    return tuple(
        _table_1(backbone, row, other, direction, column)
        for backbone in SIZES
        for column in columns
        if (backbone, column) not in but
    )


_GAINS = {backbone: _table_1(backbone, _OURS, _MASKFREE) for backbone in SIZES}

_SETS = {UNSEEN: "YouTube-VIS 2021", CROWDED: "OVIS"}
_PRINTED_SETS = {UNSEEN: "YouTube-VIS 2021 new videos", CROWDED: "OVIS"}
_TABLE_5 = {
    held_out: _of(
        BOTH,
        TK,
        f"{_cell(f'5/2/mIoU@{name}')} - {_cell(f'5/1/mIoU@{name}')}",
        metric="mIoU",
        size=_UNSEEN_SIZE,
        held_out=held_out,
    )
    for held_out, name in _PRINTED_SETS.items()
}

# Fig. 6: part, attribute, what it is called, gains that the text prints on 2021 and OVIS
_FIGURE_6 = (
    ("a", "mbor", "more occlusion", ("0.54", "0.85")),
    ("b", "instances", "more instances", ("0.85", "0.51")),
    ("c", "keypoints", "more keypoints", ("0.65", "0.82")),
)


def _side_of_median(half: str, attribute: str, held_out: HeldOut, row: str = BOTH) -> Side:
    return Side(row, f"mIoU, {half} {attribute}", _UNSEEN_SIZE, held_out)


def _gain_where_hard(attribute: str, held_out: HeldOut, printed: str) -> Comparison:
    ours, theirs = (_side_of_median("high", attribute, held_out, row) for row in (BOTH, TK))
    return Comparison(ours, theirs, printed)


_PRINTED_SCHEMES = dict(enumerate(SCHEMES, 1))  # Table II's rows, in printed order
_SCHEME_ROWS = {1: "boxes", 8: TEL}  # the others' rows have the scheme's name


def _table_2(row: int, other: int, metric: str = "AP") -> Comparison:
    names = [_SCHEME_ROWS.get(n, _PRINTED_SCHEMES[n]) for n in (row, other)]
    return _of(*names, _printed(2, row, other, metric), metric=metric)


def _tel_on_tk(metric: str = "AP") -> Comparison:
    """Table II's last two rows, both with TK as Eq. 12 has it."""
    return _of(TEL, TK, _printed(2, 8, 7, metric), metric=metric)


_LAST_ROW = (
    "the printed last row repeats Table III's TEL + QCC (notebook 09), and the paper turns TEL on "
    "in stage three: measured is TEL there, with that stage's steps (TEL in stage two: notebook 11)"
)
_SLOW_SOLVER = "the released solver takes far longer: notebook 02 has both times"
_ACROSS_SIZES = (
    "sizes of the tiny model stand for backbones; each has one stage one, whose chance is not in "
    "the interval"
)
_ONE_SCORE = "intervals are over trainings; which videos fall on which side does not vary"

_WORDS = (
    Claim(
        "A1",
        "abstract; I, contributions; III",
        "reaches its accuracy in Table I without any mask annotation",
        check=checks.no_mask_at_all,
        note="the model of Fig. 1's 44 AP may be another, without stage one: I1",
    ),
    Claim(
        "A2",
        "IV-B; V",
        "needs no masks of videos",
        check=checks.no_video_mask,
    ),
    Claim(
        "A3",
        "abstract; I, contributions; V",
        "is competitive with other VIS methods",
        untestable="no threshold is given and the other networks are not trained here; what Table "
        "I's order says of the four that are is in T1-1 and on",
    ),
    Claim(
        "A4",
        "abstract; I; III; III-D; V",
        "TEL makes masks steadier over time: smoother transitions, less flicker",
        (_of(TEL, TK, direction="lower", metric="unsteadiness"),),
        note="unsteadiness: how much an object's IoU changes from frame to frame",
    ),
    Claim(
        "A5",
        "abstract; I; III-D",
        "TEL improves the quality of the masks",
        (_of(TEL, TK, metric="mIoU"),),
    ),
    Claim(
        "A6",
        "I; III-D",
        "TEL gives visually more pleasing results",
        untestable="people would have to be asked; steadiness is A4, pictures are in notebook 13",
    ),
    Claim(
        "A7",
        "abstract; I; III-C; Eq. 2; V",
        "QCC tells without masks how well features are discriminated",
        check=checks.q_tells_clusters_apart,
        note="K, the number of objects, comes from the annotations",
    ),
    Claim(
        "A8",
        "abstract; III-C",
        "QCC adapts the model to other distributions of objects and makes it robust in testing",
        tuple(
            _of(QCC, TK, metric="mIoU", size=_UNSEEN_SIZE, held_out=held_out) for held_out in _SETS
        ),
        note="on sets never trained on; TEL and QCC together are T5-1 and T5-2",
    ),
    Claim(
        "A9",
        "abstract",
        "TEL and QCC are cheap to compute",
        check=checks.both_are_efficient,
        note=_SLOW_SOLVER,
    ),
    Claim(
        "A10",
        "abstract; III-C",
        "TEL and QCC are straightforward to implement",
        untestable="a judgement: read evis/losses/tel.py, secular.py and qcc.py",
    ),
    Claim(
        "A11",
        "abstract; Table I",
        "gains significantly without more annotation, at every backbone",
        tuple(_GAINS.values()),
        note="the abstract speaks at large, Table I of every backbone",
    ),
    Claim(
        "A12",
        "abstract; I, contributions; V",
        "narrows the gap to full supervision on all three data sets",
        (*_GAINS.values(), *_TABLE_5.values()),
        note="the gap shrinks by what is gained on Mask-free VIS, so that gain is what is tested; "
        "the paper has no fully supervised row on the last two sets",
    ),
    Claim(
        "A13",
        "I; III-C; III-D; IV-D; Table II, Param",
        "TEL and QCC add no trainable parameters",
        check=checks.no_parameters,
    ),
    Claim(
        "I1",
        "Fig. 1",
        "high performance needs no mask of any kind (44 AP)",
        untestable="no threshold is given; notebook 10 has the rows without stage one",
    ),
    Claim(
        "I2",
        "Fig. 1; Table II rows 7 and 8",
        "gains on Mask-free VIS where no mask was ever seen, not even of a picture",
        (_of(BOTH + ALONE, TK + ALONE, _printed(2, 8, 7)),),
        note="Fig. 1 gives Table II's 44.0 as reached without masks",
    ),
    Claim(
        "I3",
        "I",
        "class labels and optical flow do not suffice for high accuracy",
        untestable="no row is trained from class labels",
    ),
    Claim(
        "I4",
        "I; II-B",
        "box losses for pictures alone do worse on videos than with a temporal loss",
        (_of(TK, "boxes", _printed(2, 7, 1)),),
    ),
    Claim(
        "I5",
        "I; Table I",
        "Mask-free VIS narrows the gap between boxes and masks, at every backbone",
        tuple(_table_1(backbone, _MASKFREE, _BOXINST) for backbone in SIZES),
        note="in Table I BoxInst starts without masks of pictures; here both rows have stage one",
    ),
    Claim(
        "I6",
        "I",
        "TK copes with occlusion and with regions of one colour",
        untestable="a claim of [28]; TK and boxes are not measured on the sets that are split by "
        "occlusion, and no row singles out regions of one colour",
    ),
    Claim(
        "I7",
        "I; III-D",
        "the eigenvalues stand for a mask's structure and spatial properties",
        check=checks.spectrum_sees_space,
        note="place is the property that is tested",
    ),
    Claim(
        "I8",
        "I; III-A",
        "fits any backbone and any supervised VIS model",
        untestable="'any' can't be tested; evis runs it on three sizes of one model",
    ),
    Claim(
        "I9",
        "I",
        "QCC adjusts, as training goes, how much patch and clip terms count",
        check=checks.q_differs_between_clips,
        note="Eq. 3 has one Q a batch; tested is whether Q differs between clips",
    ),
    Claim(
        "R1",
        "II-A; II-B",
        "what is said of other methods: online, offline, region proposals, pseudo masks",
        untestable="about methods that this ledger's rows do not contain",
    ),
    Claim(
        "R2",
        "III-D",
        "the second eigenvalue, by Eqs. 5-8, tells how well a mask hangs together",
        check=checks.fiedler_value_sees_pieces,
        note="Fiedler's theorem is not in question: this graph is in two parts for any mask",
    ),
    Claim(
        "B1",
        "III-B",
        "TK binds matching patches strongly, and alike in all frames",
        untestable="that is Eq. 12 in words, and 'strongly' is no number; section 5 counts pairs",
    ),
    Claim(
        "B2",
        "III-B",
        "the more eigenvalues differ, the larger the temporal loss and its pull",
        check=checks.psi_grows_with_tel,
    ),
    Claim(
        "C1",
        "III-C",
        "QCC teaches what supervision does not, and improves masks",
        (_of(QCC, TK, metric="mIoU"),),
    ),
    Claim(
        "C2",
        "III-C; III-C step 4",
        "QCC leads to denser and more distinct clusters",
        (_of(QCC, TK, direction="lower", metric="Q", held_out=CLIPS),),
        note="Q on clips of the test videos; it is lower for clusters that are denser and farther "
        "apart. As released, no gradient flows through Q (notebook 03)",
    ),
    Claim(
        "C3",
        "III-C",
        "QCC reduces the mismatch between number and kind of clusters",
        untestable="the text does not say how the mismatch is measured",
    ),
    Claim(
        "C4",
        "III-C; Fig. 3; V",
        "QCC's clusters tell instances apart",
        check=checks.clusters_part_instances,
    ),
    Claim(
        "D1",
        "III-D; V",
        "eigenvalues that stay close mean a mask that is coherent over time",
        check=checks.closeness_is_coherence,
    ),
    Claim(
        "D2",
        "III-D",
        "further eigenvalues stand for structure at higher levels of abstraction",
        untestable="nothing is named that could come out otherwise",
    ),
    Claim(
        "D3",
        "III-D",
        "TEL compares few numbers and is no burden in training",
        check=checks.tel_is_no_burden,
        note=_SLOW_SOLVER,
    ),
    Claim(
        "D4",
        "abstract; I; III-D",
        "TEL brings the eigenvalues of neighbouring frames closer",
        (_of(TEL, TK, direction="lower", metric="L_eig", held_out=CLIPS),),
        note="L_eig on clips of the test videos; it grows with the logits, too",
    ),
    Claim(
        "E1",
        "III-E",
        "beta should be chosen by the backbone's complexity",
        untestable="the paper prints no beta (the released one is larger for larger backbones); "
        "toy rows have one at all sizes, and beta = 1 in notebook 11",
    ),
    Claim(
        "E2",
        "III-E",
        "neighbours of similar colour most probably share a mask",
        check=checks.similar_colours_share_a_mask,
    ),
    Claim(
        "S1",
        "IV-A; Table V",
        "OVIS is harder than YouTube-VIS",
        (
            Comparison(
                Side(BOTH, "mIoU", _UNSEEN_SIZE, CROWDED),
                Side(BOTH, "mIoU", _UNSEEN_SIZE, UNSEEN),
                f"{_cell('5/2/mIoU@OVIS')} - {_cell('5/2/mIoU@YouTube-VIS 2021 new videos')}",
                "lower",
            ),
        ),
        note="the toy sets were drawn so",
    ),
    Claim(
        "S2",
        "IV-B",
        "stages two and three see boxes alone, as no masks are available",
        untestable="of the authors' training, not of what comes out: evis's stages do see boxes "
        "alone, the released ones see pictures with masks, too (notebook 15)",
    ),
)

_COMPARED = (
    *(
        Claim(
            f"T1-{number}",
            f"IV-C; Table I, {_NAMES[backbone]}",
            f"gains on Mask-free VIS and closes in on full masks, {_NAMES[backbone]}",
            (gain,),
        )
        for number, (backbone, gain) in enumerate(_GAINS.items(), 1)
    ),
    *(
        Claim(
            f"T1-{number}",
            f"Table I, {_NAMES[backbone]}",
            f"beats BoxInst, {_NAMES[backbone]}",
            (_table_1(backbone, _OURS, _BOXINST),),
            note="in Table I BoxInst starts without masks of pictures; here both rows have stage "
            "one. Ours also has stage three's further steps",
        )
        for number, backbone in enumerate(SIZES, 4)
    ),
    *(
        Claim(
            f"T1-{number}",
            f"IV-C; Table I, {_NAMES[backbone]}",
            f"stays below full masks, {_NAMES[backbone]}",
            (_table_1(backbone, _OURS, _MASKS, "lower"),),
        )
        for number, backbone in enumerate(SIZES, 7)
    ),
    Claim(
        "T1-10",
        "Table I, AP50, R50 and R101",
        "is above full masks at AP50 with R50 and R101",
        tuple(_table_1(b, _OURS, _MASKS, metric="AP50") for b in ("r50", "r101")),
    ),
    Claim(
        "T1-11",
        "Table I, AR10, R50 and R101",
        "is above full masks at AR10 with R50 and R101",
        tuple(_table_1(b, _OURS, _MASKS, metric="AR10") for b in ("r50", "r101")),
    ),
    Claim(
        "T1-12",
        "Table I, AP50, Swin-L",
        "is below full masks at AP50 with Swin-L",
        (_table_1("swin_l", _OURS, _MASKS, "lower", "AP50"),),
    ),
    Claim(
        "T1-13",
        "Table I, AP50 to AR10",
        "gains on Mask-free VIS in the other columns too, but for AP75 with R101",
        _in_columns(_OURS, _MASKFREE, but={("r101", "AP75")}),
    ),
    Claim(
        "T1-14",
        "Table I, AP75, R101",
        "is a little below Mask-free VIS at AP75 with R101",
        (_table_1("r101", _OURS, _MASKFREE, "lower", "AP75"),),
    ),
    Claim(
        "T1-15",
        "IV-C",
        "outdoes EfficientVIS, PCAN, InsPro and IFC, equals SeqFormer (R50), and passes it (R101)",
        untestable="these networks are not trained here; notebook 09 checks the printed numbers",
    ),
    Claim(
        "T1-16",
        "Table I",
        "the order of VMT, GenVIS, DVIS, FlowIRN, SOLO-Track and Cluster2Former",
        untestable="other papers' methods, not trained here",
    ),
    Claim(
        "T1-17",
        "IV-C",
        "full masks do better with Swin-L than with the other backbones",
        tuple(
            Comparison(
                Side("masks", size=SIZES["swin_l"]),
                Side("masks", size=SIZES[other]),
                _printed(1, 27, _TABLE_1[other][_MASKS]),
            )
            for other in ("r50", "r101")
        ),
        note=_ACROSS_SIZES,
    ),
    Claim(
        "T1-18",
        "Table I",
        "the method does better with each larger backbone",
        tuple(
            Comparison(
                Side(BOTH, size=SIZES[larger]),
                Side(BOTH, size=SIZES[smaller]),
                _printed(1, _TABLE_1[larger][_OURS], _TABLE_1[smaller][_OURS]),
            )
            for smaller, larger in (("r50", "r101"), ("r101", "swin_l"))
        ),
        note=_ACROSS_SIZES,
    ),
    Claim(
        "T1-19",
        "Table I, AP75 and AR1",
        "stays below full masks at AP75, and at AR1 with R50 and R101",
        tuple(
            _table_1(backbone, _OURS, _MASKS, "lower", metric)
            for metric in ("AP75", "AR1")
            for backbone in SIZES
            if (backbone, metric) != ("swin_l", "AR1")
        ),
    ),
    Claim(
        "T1-20",
        "Table I",
        "Mask-free VIS stays below full masks, at every backbone",
        tuple(_table_1(backbone, _MASKFREE, _MASKS, "lower") for backbone in SIZES),
    ),
    Claim(
        "T1-21",
        "Table I, AP50 to AR10",
        "Mask-free VIS beats BoxInst in the other columns, at every backbone",
        _in_columns(_MASKFREE, _BOXINST),
    ),
    Claim(
        "T1-22",
        "Table I, AP50, R50 and R101",
        "Mask-free VIS is above full masks at AP50 with R50 and R101",
        tuple(_table_1(b, _MASKFREE, _MASKS, metric="AP50") for b in ("r50", "r101")),
    ),
    Claim(
        "T1-23",
        "Table I, AP50 to AR10",
        "Mask-free VIS stays below full masks in all other columns that are printed",
        _in_columns(
            _MASKFREE, _MASKS, "lower", but={("r50", "AP50"), ("r101", "AP50"), *_UNPRINTED}
        ),
    ),
    Claim(
        "T1-24",
        "Table I, AP50 to AR10",
        "beats BoxInst in the other columns, at every backbone",
        _in_columns(_OURS, _BOXINST),
        note="as T1-4 to T1-6",
    ),
    Claim(
        "T1-25",
        "Table I",
        "full masks beat BoxInst, in all columns that are printed",
        _in_columns(_MASKS, _BOXINST, columns=("AP", *_OTHER_METRICS), but=_UNPRINTED),
    ),
    *(
        Claim(
            f"T2-{row}",
            f"IV-D; Table II rows {row} and 8",
            f"TEL + TK beats {_PRINTED_SCHEMES[row]}",
            (_table_2(8, row) if row < 7 else _tel_on_tk(),),
            note=_LAST_ROW,
        )
        for row in range(1, 8)
    ),
    *(
        Claim(
            f"T2-{row + 6}",
            f"Table II rows {row - 1} and {row}",
            f"{_PRINTED_SCHEMES[row]} above {_PRINTED_SCHEMES[row - 1]}",
            (_table_2(row, row - 1),),
            note="an order taken over from [28]; all but TK are our reading of a name",
        )
        for row in range(2, 8)
    ),
    Claim(
        "T2-14",
        "Table II, AP50 to AR10",
        "TEL + TK beats TK in the other columns too",
        tuple(map(_tel_on_tk, _OTHER_METRICS)),
        note=_LAST_ROW,
    ),
    Claim(
        "T2-15",
        "IV-D",
        "the clip-oriented view is better where objects are occluded",
        tuple(
            _gain_where_hard("mbor", held_out, printed)
            for held_out, printed in zip(_SETS, _FIGURE_6[0][3], strict=True)
        ),
        note="videos of much occlusion, as in Fig. 6 (a)",
    ),
    Claim(
        "T2-16",
        "IV-D",
        "matching by optical flow fails where objects are occluded",
        untestable="Table II's schemes are not measured on the sets that are split by occlusion, "
        "and the flow is another than RAFT's",
    ),
    Claim(
        "T3-1",
        "III-B; IV-D; Table III rows 1 and 2",
        "TEL raises AP",
        (_of(TEL, TK, _printed(3, 2, 1)),),
    ),
    Claim(
        "T3-2",
        "IV-D; Table III rows 2 and 3",
        "QCC on top of TEL raises AP further",
        (_of(BOTH, TEL, _printed(3, 3, 2)),),
    ),
    Claim(
        "T3-3",
        "I, contributions; IV-D; V; Table III rows 1 and 3",
        "TEL and QCC together raise AP",
        (_of(BOTH, TK, _printed(3, 3, 1)),),
    ),
    Claim(
        "T3-4",
        "Table III, AP50 to AR10",
        "TEL, and then QCC, raise the other columns too",
        tuple(
            _of(row, other, _printed(3, *printed, metric), metric=metric)
            for metric in _OTHER_METRICS
            for row, other, printed in ((TEL, TK, (2, 1)), (BOTH, TEL, (3, 2)))
        ),
    ),
    Claim(
        "G1",
        "Fig. 5",
        "the baseline misses parts of fast objects, and the method finds them",
        untestable="chosen pictures and no number; notebook 13 counts such pixels for one seed",
    ),
    Claim(
        "T4-1",
        "IV-D; Table IV rows 1 and 2",
        "Y = 3 beats Y = 2",
        (_of(BOTH, "Y = 2", _printed(4, 2, 1)),),
        note="by Eqs. 5-8 the first two eigenvalues are 0 where a frame has logits of both signs: "
        "Y = 2 is then QCC alone",
    ),
    Claim(
        "T4-2",
        "IV-D; Table IV rows 2 and 3",
        "Y = 3 beats Y = 4",
        (_of(BOTH, "Y = 4", _printed(4, 2, 3)),),
    ),
    Claim(
        "T4-3",
        "Table IV rows 1 and 3",
        "Y = 2 beats Y = 4",
        (_of("Y = 2", "Y = 4", _printed(4, 1, 3)),),
    ),
    Claim(
        "T4-4",
        "Table IV, AP50 to AR10",
        "Y = 3 is best in the other columns too (AR1 is a tie with Y = 2)",
        tuple(
            _of(BOTH, other, _printed(4, 2, row, metric), metric=metric)
            for metric in _OTHER_METRICS
            for other, row in (("Y = 2", 1), ("Y = 4", 3))
            if (metric, row) != ("AR1", 1)
        ),
    ),
    *(
        Claim(
            f"T5-{number}",
            f"IV-D; Table V, {name}",
            f"generalises better than Mask-free VIS to {name}",
            (_TABLE_5[held_out],),
            note="the paper has Swin-L here; measured is the size that stands for R50",
        )
        for number, (held_out, name) in enumerate(_SETS.items(), 1)
    ),
    *(
        Claim(
            f"G6{part}-{number}",
            f"IV-D; Fig. 6 ({part}), {name}",
            f"videos of {words} are harder, {name}",
            (
                Comparison(
                    _side_of_median("high", attribute, held_out),
                    _side_of_median("low", attribute, held_out),
                    direction="lower",
                ),
            ),
            note=_ONE_SCORE,
        )
        for part, attribute, words, _ in _FIGURE_6
        for number, (held_out, name) in enumerate(_SETS.items(), 1)
    ),
    *(
        Claim(
            f"G6{part}-{number}",
            f"IV-D; Fig. 6 ({part}), {name}",
            f"gains on Mask-free VIS on videos of {words}, {name}",
            (_gain_where_hard(attribute, held_out, printed),),
        )
        for part, attribute, words, gains in _FIGURE_6
        for number, (held_out, name, printed) in enumerate(
            zip(_SETS, _SETS.values(), gains, strict=True), 3
        )
    ),
    Claim(
        "G6-0",
        "IV-D",
        "is the first to compare VIS methods by attributes of the videos",
        untestable="a claim about all other papers",
    ),
    Claim(
        "G6c-5",
        "IV-D; Fig. 6 (c)",
        "few keypoints are easy because textures are smoother",
        untestable="a cause: videos of few keypoints differ in more than their texture",
    ),
    Claim(
        "V1",
        "V",
        "can be combined with unsupervised methods",
        untestable="future work of the paper",
    ),
)

CLAIMS = _WORDS + _COMPARED
