"""What the README says is so: its links lead somewhere, its numbers are the stored ones."""

import re
from pathlib import Path

import pytest

from evis import papers
from evis.companion import measured, paired, series, store
from evis.companion.held_out import TEST
from evis.data import paths
from evis.papers import worth
from evis.papers.eigencluster import experiments, free_masks, tables
from evis.papers.eigencluster.experiments import BOTH, CONTROL, TK
from evis.papers.uvis import claims as uvis

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "data/README.md"])
def test_links_lead_to_files(name):
    page = ROOT / name
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert targets
    for target in targets:
        assert (page.parent / target).exists(), f"{name} links to {target}"


def test_the_map_names_every_notebook():
    written = {path.stem for path in paths.notebooks().glob("[0-9]*.ipynb")}
    assert set(re.findall(r"\[(\d\d_\w+)\]\(notebooks/", README)) == written


def stored(recipe, dataset):
    row = store.find(recipe, dataset, 0)
    assert row is not None, f"no stored row of {recipe['name']}"
    return row.metrics


@pytest.mark.parametrize(
    ("recipe", "dataset", "metrics", "line"),
    [
        (
            {"name": "benchmark tel solvers"},
            "smooth blobs",
            ("times as fast, one layer", "times as fast, ten layers"),
            "{:.0f} / {:.0f} times as fast",
        ),
        (
            {"name": "benchmark tk patch search", "size": [120, 216]},
            "random pictures",
            ("times less time", "times less memory"),
            "{:.0f} times less time, {:.0f} times less memory",
        ),
        (
            {"name": "benchmark ytvis evaluation", "videos": 302, "queries": 10},
            "made-up tracks",
            ("class-agnostic, times as fast", "class-aware, times as fast"),
            "{:.0f} / {:.0f} times as fast",
        ),
        (
            {"name": "benchmark ytvis evaluation", "videos": 302, "queries": 10},
            "made-up tracks",
            ("from files, times as fast",),
            "from json files to numbers it is {:.1f} times as\nfast",
        ),
        (
            {"name": "benchmark normalized cuts"},
            "made-up features",
            ("times as fast, least",),
            "60 x 60 patches | {:.0f} times as fast",
        ),
        (
            {"name": "benchmark dense CRF"},
            "made-up pictures",
            ("times as fast",),
            "64 x 96 pixels, three masks | {:.0f} times as fast",
        ),
        (
            {"name": "benchmark predict speed", "model": "r50", "frames": 4},
            "random-pictures",
            ("windows of 8 on two threads, s a frame",),
            "in windows of 8, on two threads: {:.1f} s a frame",
        ),
    ],
)
def test_measured_ratios_are_the_stored_ones(recipe, dataset, metrics, line):
    found = stored(recipe, dataset)
    assert line.format(*(found[metric] for metric in metrics)) in README


def test_what_of_predicting_is_the_network_is_the_stored_share():
    found = stored(
        {"name": "benchmark predict speed", "model": "r50", "frames": 4}, "random-pictures"
    )
    beside = 100 * (found["windows, to its forward passes"] - 1)
    assert f"in windows of 2,\non one thread, all but {beside:.0f}% is the network" in README


def test_the_cost_of_tel_and_qcc_is_the_stored_one():
    recipe = {"name": "benchmark criterion cost", "model": "tiny", "batch": 8}
    found = stored(recipe, "toy-ytvis19")
    tel, qcc, both = (100 * found[f"added by {name}"] for name in ("TEL", "QCC", "TEL + QCC"))
    assert f"adds {tel:.1f}%, QCC {qcc:.1f}%, both together {both:.1f}%" in README


def test_what_labels_take_is_the_stored_row_or_said_to_be_missing():
    recipe = {"name": "benchmark label speed", "frames": 1000, "named by": "toy_clip"}
    row, said = store.find(recipe, "toy-ytvis19", 0), "not measured yet"
    if row is not None:
        names = "seconds, jobs 2", "seconds, jobs 1", "CPU seconds, jobs 2"
        taken = (row.metrics[name] for name in names)
        said = "{:.0f} s in two processes, {:.0f} s in one, {:.0f} s of CPU time".format(*taken)
    assert f"for 1,000 toy frames, at most 60 s wanted: {said} (" in README


def test_what_long_videos_take_is_the_stored_row():
    recipe = {"name": "benchmark long videos", "model": "tiny_s", "lengths": [1000, 10000]}
    found = stored(recipe, "toy-ytvis19")
    assert f"at toy\nsize (64 x 96 pixels, `{recipe['model']}`): 10,000 frames take" in README
    said = "{:.2f} times the memory that 1,000 do, {:.0f} and {:.0f} MiB, overlays included"
    names = "peak memory, 10000 to 1000 frames", "MiB at 10000 frames", "MiB at 1000 frames"
    assert said.format(*(found[name] for name in names)) in README
    slower = found["time a frame, 10000 to 100 frames"]
    assert f"of theirs {slower:.2f} of a short video's time" in README


def test_what_a_cut_of_a_whole_video_takes_is_the_stored_row():
    recipe = {"name": "benchmark cut of a whole video"}
    found = stored(recipe, "made-up features and toy-ytvis19")
    said = "take {:.0f} MB, {:.0f} times less than the 350 GB that"
    assert said.format(found["MB at 100 frames"], found["times less"]) in README
    wide = found["MB at 100 frames, 384 channels"] / 1000, found["times less, 384"]
    assert "{:.1f} GB, {:.0f} times less, with the 384 of DINO".format(*wide) in README
    lost = found["best IoU, %, frame by frame"] - found["best IoU, %, all frames at once"]
    assert f"by {lost:.1f} points of IoU over" in README
    assert found["best IoU, %, all frames at once"] < found["best IoU, %, frame by frame"]


def test_the_code_in_the_readme_compiles():
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")


def test_toy_training_in_the_readme_is_the_stored_rows():
    rows = experiments.group("comparison", "tiny_s") | experiments.group("from nothing", "tiny_s")
    table = series.table(rows.values())
    expected = {
        name: [str(len(own)), *(_spread(own[metric]) for metric in ("AP", "AP50", "AP75"))]
        for name, own in table.groupby("row")
    }
    line = r"^\|.*\(([^()]+)\) \| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$"
    written = {name: cells for name, *cells in re.findall(line, README, re.MULTILINE)}
    assert written == expected


def test_the_status_says_how_many_units_the_rows_have():
    methods = list(tables.METHODS.values())
    counts = [_units("comparison", size, methods) for size in experiments.SIZES.values()]
    alone = _units("from nothing", "tiny_s", [f"{method}, no stage one" for method in methods])
    told = "Table I: {} units at `tiny_s`, {} at `tiny`, {} at `tiny_l`, {} without stage one"
    assert told.format(*counts, alone) in README


def _units(group, size, names):
    """That all these rows have."""
    table = series.table(experiments.group(group, size).values())
    return table["row"].value_counts().reindex(names).fillna(0).astype(int).min()


def _spread(values):
    mean = f"{values.mean():.1f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std():.1f}"


def test_what_the_readme_says_of_masks_tk_and_stage_three_is_what_the_units_say():
    table = series.table(experiments.group("comparison", "tiny_s").values())
    assert paired.outcome(paired.difference(table, "masks", "boxes")) == "higher"
    for row in ("masks", "boxes", TK):
        assert paired.outcome(paired.difference(table, row, "stage one only")) == "higher"
    of_tk = paired.difference(table, TK, "boxes")
    assert paired.outcome(of_tk) == "lower"
    assert f"({of_tk.mean:.1f} AP,\np = {of_tk.p():.1g} over {WORDS[of_tk.seeds]} units)" in README
    assert paired.outcome(paired.difference(table, BOTH, CONTROL)) == "not resolved"


def test_what_the_readme_says_of_eigenvalues_grid_and_beta_is_what_the_units_say():
    rows = experiments.group("eigenvalues", "tiny_s")
    rows |= {BOTH: experiments.group("comparison", "tiny_s")[BOTH]}
    table = series.table(rows.values())
    outcome = {
        row: paired.outcome(paired.difference(table, row, BOTH)) for row in rows if row != BOTH
    }
    assert outcome["Y = 2"] == outcome["Y = 4"] == "not resolved"
    assert outcome["S = 8"] == outcome["beta = 1"] == "lower"
    seeds = paired.difference(table, "Y = 2", BOTH).seeds
    assert f"no difference that {WORDS[seeds]} units show" in README


def test_what_the_readme_says_of_free_masks_is_stored():
    table = free_masks.measured("free")
    gains = [table["TK"] - table["boxes"], table["TEL"] - table[free_masks.PLACEBOS["TEL"]]]
    words = "TK brings {:.1f} points of mIoU over boxes, TEL\n{:.1f} less than a constant"
    assert words.format(gains[0].mean(), -gains[1].mean()) in README


def test_what_the_readme_says_of_pointvis_is_what_its_units_say():
    pointvis = papers.measures("pointvis costs")
    rows = pointvis.group("pointvis toy-ytvis19") | pointvis.group("pointvis costs")
    table = series.table(rows.values())
    click, losses, masks = "PointVIS (P1)", "VISP+CINeg (P1)", "masks"
    means = table.groupby("row")["AP"].mean()
    shown = [means[row] for row in (click, "PointVIS (P1N1)", masks, "VISP (P1)", losses)]
    said = (
        "{:.1f} AP over six units, {:.1f} with one negative click, where masks of all frames bring "
        "{:.1f}; without masks that clicks choose, a loss at the clicks alone brings {:.1f}, and "
        "{:.1f} with other objects' clicks as negatives"
    )
    assert said.format(*shown) in README.replace("\n", " ")

    def found(row, against):
        gain = paired.difference(table, row, against)
        assert gain.seeds == 6
        return paired.outcome(gain)

    for better, worse in ((losses, "VISP (P1)"), ("annotated cost alone", losses), (masks, click)):
        assert found(better, worse) == "higher"
    for more, less in (
        ("without maskness", "annotated cost alone"),
        (click, "without maskness"),
        ("PointVIS (P1), self-trained", click),
        ("PointVIS (P1N1)", click),
    ):
        assert found(more, less) == "not resolved"
    kept = paired.difference(worth.by_unit(), "P1: PointVIS", "boxes: TK", "share")
    assert f"keeps {kept.mean:.1f} points more than boxes with TK do" in README
    assert paired.outcome(kept) == "higher" and kept.seeds == 6


def test_what_the_readme_says_of_uvis_is_what_its_units_say():
    table = uvis.table("tiny_s", TEST)
    means = table.groupby("row")["AP"].mean()
    gain = paired.difference(table, "UVIS, memory", "DeepSORT")
    assert gain.seeds == 6 and paired.outcome(gain) == "higher"
    said = (
        "from no label and names alone: {:.1f} AP over six units, where DeepSORT on such guessed "
        "masks, without a training, has {:.1f} (+{:.1f}, p = {:.2f}; the print has +8.9) and masks "
        "of the videos bring {:.1f}"
    )
    shown = means["UVIS, memory"], means["DeepSORT"], gain.mean, gain.p(), means["MinVIS"]
    assert said.format(*shown) in README.replace("\n", " ")
    for row in ("UVIS", "MinVIS"):
        for memory in ("memory", "weighted memory"):
            apart = paired.difference(table, f"{row}, {memory}", row)
            assert apart.seeds == 6 and paired.outcome(apart) == "not resolved"


def test_what_the_readme_says_of_first_units_is_stored():
    def ap(group, rows, metric="AP"):
        own = papers.measures(group).group(group)
        test = getattr(papers.measures(group), "TESTS", {}).get(group, TEST)
        return [100 * measured.find(own[row].seeded(0), test).metrics[metric] for row in rows]

    rounds = ap("cutler", ["round 0", "round 1", "round 2"])
    assert "{:.1f}, {:.1f} and {:.1f} AP after its three rounds".format(*rounds) in README
    cut = ap("flowcut toy-ytvis19", ["FlowCut, 2021", "FlowCut, 2021, no flow", "CutLER"])
    found = (
        "{:.1f} AP of\nobjects of any class, {:.1f} with flow left out, where CutLER, which both"
    )
    assert found.format(*cut[:2]) in README and f"has {cut[2]:.1f} by itself" in README
    on_davis = ["CutLER", "VideoCutLER", "FlowCut, stills"]
    said = "CutLER has {:.1f} J&F, VideoCutLER {:.1f}\nand FlowCut, with stills, {:.1f}; "
    said += "of what moves alone {:.1f}, {:.1f} and {:.1f}"
    davis = [ap("flowcut davis", on_davis, metric) for metric in ("J&F", "motion J&F")]
    assert said.format(*davis[0], *davis[1]) in README
    guessed = ap("pmvis toy-ytvis19", ["PM-VIS", "IDOL-BoxInst", "IDOL"])
    said = (
        "{:.1f} AP from boxes\nand guessed masks, {:.1f} from boxes alone, {:.1f} from true masks"
    )
    assert said.format(*guessed) in README


WORDS = {6: "six", 9: "nine", 11: "eleven"}
