"""What `evis data check` says of complete, partial and damaged folders of each real set."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from evis.data import DataError, catalog

NAMES = [
    "youtube-vis-2019", "youtube-vis-2021", "ovis", "davis-2017", "davis-2017-motion", "coco-2017",
]  # fmt: skip


def save_picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6)).save(path, format="PNG")


def build_ytvis(root, real):
    for split in real.splits:
        names = [f"{split.name}{v}/0000{t}.jpg" for v in range(split.videos) for t in range(2)]
        for name in names:
            save_picture(root / split.frames / name)
        content = {
            "categories": [{"id": n + 1, "name": f"c{n}"} for n in range(real.categories)],
            "videos": [
                {"id": v, "height": 6, "width": 8, "file_names": names[2 * v : 2 * v + 2]}
                for v in range(split.videos)
            ],
        }
        if split.labelled:
            mask = {"size": [6, 8], "counts": [3, 4, 41]}
            content["annotations"] = [
                {"id": v, "video_id": v, "category_id": 1, "segmentations": [mask, None]}
                for v in range(split.videos)
            ]
        path = root / split.annotations
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


def build_davis(root, real):
    for split in real.splits:
        names = [f"{split.name}-{n}" for n in range(split.videos)]
        for name in names:
            save_picture(root / split.frames / name / "00000.jpg")
            target = root / split.annotations / "480p" / name / "00000.png"
            target.parent.mkdir(parents=True)
            Image.fromarray(np.ones((6, 8), dtype=np.uint8)).save(target)
        listing = root / "ImageSets" / "2017" / f"{split.name}.txt"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("\n".join(names))


def build_coco(root, real):
    for split in real.splits:
        names = [f"{n:012}.jpg" for n in range(split.videos)]
        for name in names:
            save_picture(root / split.frames / name)
        content = {
            "categories": [{"id": n + 1, "name": f"c{n}"} for n in range(real.categories)],
            "images": [
                {"id": n, "height": 6, "width": 8, "file_name": name}
                for n, name in enumerate(names)
            ],
            "annotations": [
                {
                    "id": n,
                    "image_id": n,
                    "category_id": 1,
                    "segmentation": [[1, 1, 5, 1, 5, 4]],
                    "bbox": [1, 1, 4, 3],
                    "area": 6,
                    "iscrowd": 0,
                }
                for n in range(split.videos)
            ],
        }
        path = root / split.annotations
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


@pytest.fixture(params=NAMES)
def built(request, tmp_path, monkeypatch):
    """A whole set in its official layout, with two videos a split."""
    real = catalog.SETS[request.param]
    real = replace(real, splits=tuple(replace(split, videos=2) for split in real.splits))
    monkeypatch.setitem(catalog.SETS, real.name, real)
    family = real.name.split("-")[0]
    {"davis": build_davis, "coco": build_coco}.get(family, build_ytvis)(tmp_path, real)
    return real, tmp_path


def test_the_sets_that_the_papers_use_are_known():
    assert list(catalog.SETS) == NAMES
    counts = {
        name: {split.name: split.videos for split in catalog.SETS[name].splits} for name in NAMES
    }
    assert counts["youtube-vis-2019"] == {"train": 2238, "valid": 302, "test": 343}
    assert counts["youtube-vis-2021"] == {"train": 2985, "valid": 421, "test": 453}
    assert counts["ovis"] == {"train": 607, "valid": 140, "test": 154}
    assert counts["davis-2017"] == {"train": 60, "val": 30}
    assert [catalog.SETS[name].categories for name in NAMES] == [40, 40, 25, 1, 1, 80]


@pytest.mark.parametrize("name", NAMES)
def test_a_description_names_every_file_and_the_licence(name):
    text, real = catalog.describe(name), catalog.SETS[name]
    assert real.title in text and real.licence in text
    for split in real.splits:
        assert f"{split.annotations} + {split.frames}/" in text and str(split.videos) in text


def test_a_whole_set_is_complete(built):
    real, root = built
    report = catalog.check(real.name, root)
    assert report.complete, str(report)
    assert report.lines[-1] == f"{real.title} is complete in {root}"
    assert [line for line in report.lines if line.endswith(": ok")] == [
        f"{split.name}: ok" for split in real.splits
    ]


def test_a_split_that_is_not_there_is_named(built):
    real, root = built
    first = real.splits[0]
    (root / first.annotations).rename(root / "elsewhere")
    report = catalog.check(real.name, root)
    assert not report.complete
    assert f"  - {root / first.annotations} is not there" in report.lines
    assert report.lines[-1] == f"{real.title} is not complete in {root}"


def test_missing_and_damaged_frames_are_named(built):
    real, root = built
    split = real.splits[-1]
    victim, other = sorted(path for path in (root / split.frames).rglob("*.jpg"))[:2]
    victim.write_bytes(b"cut")
    report = catalog.check(real.name, root)
    assert not report.complete and str(victim) in str(report) and "decoded" in str(report)
    victim.unlink()
    report = catalog.check(real.name, root)
    assert not report.complete
    assert victim.parent.name in str(report) and "missing" in str(report)


def test_a_set_of_another_size_is_no_official_release(built, monkeypatch):
    real, root = built
    splits = tuple(replace(split, videos=3) for split in real.splits)
    monkeypatch.setitem(catalog.SETS, real.name, replace(real, splits=splits))
    report = catalog.check(real.name, root)
    assert not report.complete
    assert "2 videos, the official release has 3" in str(report)


def test_other_categories_and_lost_labels_are_named(tmp_path, monkeypatch):
    real = catalog.SETS["ovis"]
    real = replace(real, splits=(replace(real.splits[0], videos=2),))
    build_ytvis(tmp_path, real)
    monkeypatch.setitem(catalog.SETS, "ovis", replace(real, categories=26))
    assert "25 categories instead of 26" in str(catalog.check("ovis", tmp_path))
    path = tmp_path / real.splits[0].annotations
    content = json.loads(path.read_text())
    del content["annotations"]
    path.write_text(json.dumps(content))
    assert "no annotations, though" in str(catalog.check("ovis", tmp_path))
    path.write_text(path.read_text()[:100])
    report = catalog.check("ovis", tmp_path)
    assert not report.complete and f"{path}: broken json: " in str(report)


def test_unknown_names_and_folders_get_a_remedy(tmp_path):
    for call in (catalog.describe, lambda name: catalog.check(name, tmp_path)):
        with pytest.raises(DataError, match="unknown data set 'ytvis'. Known sets: youtube-vis"):
            call("ytvis")
    with pytest.raises(DataError, match="no such folder. OVIS: 25 categories") as caught:
        catalog.check("ovis", tmp_path / "nowhere")
    assert "annotations_train.json" in str(caught.value)
