"""Weights in and out: evis's own files, and those of the papers' reference implementations.

`load` builds the model that a file holds, `load_into` and `load_backbone` fill one that exists.
Each accounts for every tensor on both sides in a `Report`, and unless told otherwise refuses what
doesn't fit before it touches the model. Tensors with NaN or infinity are always refused.
"""

import json
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from evis.data import files
from evis.data.errors import DataError
from evis.models import config as kinds
from evis.models import key_map, sizes, weight_files
from evis.models.config import ModelConfig
from evis.models.report import Mismatch, Report
from evis.models.video_mask2former import VideoMask2Former

_BACKBONE = "backbone."
_ENTRY = "evis"  # the one entry of the metadata in evis's own files: json


def load(path: str | Path, strict: bool = True) -> VideoMask2Former:
    """The model in a file, in eval mode, whatever its size.

    path: what `save` wrote, or a .pth or .pkl of Mask2Former-VIS, MinVIS, MaskFreeVIS or
    Eigen-Cluster VIS. With strict=False, tensors that the file lacks keep their random start, and a
    warning says which.
    """
    model, report = load_with_report(path, strict)
    if not report.fits:
        warnings.warn(f"{path}: {report}", stacklevel=2)
    return model


def load_with_report(path: str | Path, strict: bool = True) -> tuple[VideoMask2Former, Report]:
    """As `load`, with what became of every tensor."""
    return _build(_open(path), strict)


def load_reference(weights: Mapping[str, Any] | str | Path) -> VideoMask2Former:
    """The model of a reference implementation's state dict or file, in eval mode."""
    if isinstance(weights, Mapping):
        source = _by_reference(weight_files.tensors_of(weights))
    else:
        source = _open(weights)
    return _build(source, strict=True)[0]


def load_into(model: VideoMask2Former, path: str | Path, strict: bool = True) -> Report:
    """Fill a model from a file of either kind.

    With strict=False the model keeps its own where a tensor is missing or of another shape: the
    classifier, say, when the file was trained on another number of classes.
    """
    return _fill(model, _open(path), strict)


def load_backbone(model: VideoMask2Former, path: str | Path, strict: bool = True) -> Report:
    """Fill the backbone alone: from ImageNet weights, or from a whole checkpoint.

    ResNets: detectron2's conversions of torchvision's R-50 and R-101 (RGB, stride in the 3x3
    convolution). MSRA's R-50.pkl is another network (BGR, stride in the 1x1 convolution). As it was
    published its names differ, and it is refused; once renamed, no name or shape tells the two
    apart. Swin: the .pth files of its authors; they have no norms for the features of each stage,
    so those stay as they are.
    """
    return _fill(model, _open(path, part=_BACKBONE), strict, part=_BACKBONE)


def save(model: VideoMask2Former, path: str | Path, **about: Any) -> Path:
    """Write weights and config as .safetensors; `about` is anything that json can hold."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    backbone = {"kind": type(model.config.backbone).__name__, **asdict(model.config.backbone)}
    config = {**asdict(model.config), "backbone": backbone}
    entry = files.to_json({"config": config, "about": about})
    return files.write_bytes(path, safetensors.torch.save(tensors, {_ENTRY: entry}))


def read_about(path: str | Path) -> dict[str, Any]:
    """What `save` was told about a model."""
    path = Path(path)
    return _own_entry(path, weight_files.read(path)[1] or {})["about"]


@dataclass(frozen=True)
class _Source:
    """A file's tensors, and the names under which a model's tensors are looked for among them."""

    tensors: dict[str, Tensor]
    file: Path | None
    names: dict[str, str]  # a name in the file -> the name that it is found by
    wanted: Callable[[str], str]  # a name in the model -> the name that it is found by
    config: ModelConfig | None = None  # None: to be read off the tensors
    about: dict[str, Any] = field(default_factory=dict)


def _open(path: str | Path, part: str = "") -> _Source:
    path = Path(path)
    tensors, metadata = weight_files.read(path)
    if metadata is None:
        return _by_reference(tensors, path, part)
    entry = _own_entry(path, metadata)
    config = _parse_config(entry["config"], path)
    return _Source(tensors, path, {name: name for name in tensors}, str, config, entry["about"])


def _by_reference(tensors: dict[str, Tensor], file: Path | None = None, part: str = "") -> _Source:
    """Tensors under the reference's names; those of `part` alone may lack its prefix."""
    names = {name: key_map.today(name) for name in tensors}
    if any(re.fullmatch(r"res\d_\d+_branch\d\w*", name) for name in names.values()):
        raise DataError(
            "is a network of Caffe2, such as MSRA's R-50.pkl (BGR, stride in the 1x1 convolution)",
            file=file,
            remedy="Give torchvision's R-50.pkl or R-101.pkl of detectron2's model zoo",
        )
    if not any(name.startswith(part) for name in names.values()):
        names = {name: part + bare for name, bare in names.items()}
    return _Source(tensors, file, names, key_map.theirs)


def _build(source: _Source, strict: bool) -> tuple[VideoMask2Former, Report]:
    config = source.config or _read_off(source)
    try:
        model = VideoMask2Former(config)
    except (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"no model has the sizes {config} ({error})",
            file=source.file,
            remedy="Is it a whole checkpoint of Mask2Former-VIS?",
        ) from error
    report = _fill(model, source, strict)
    recipe = source.about.get("recipe")
    if isinstance(recipe, dict) and recipe.get("shorter_sides"):
        model.shorter_side = min(recipe["shorter_sides"])
    return model.eval(), report


def _read_off(source: _Source) -> ModelConfig:
    tensors = {found_by: source.tensors[name] for name, found_by in source.names.items()}
    if not any(name.startswith("sem_seg_head.predictor.") for name in tensors):
        raise DataError(
            "holds no Mask2Former-VIS under the reference's names",
            file=source.file,
            remedy="For the weights of a backbone alone, make a model and call load_backbone",
        )
    return sizes.config_of(tensors, source.file)


def _fill(model: VideoMask2Former, source: _Source, strict: bool, part: str = "") -> Report:
    """Copy what fits into the model, or into the part of it whose names begin so."""
    here = {name: t for name, t in model.state_dict().items() if name.startswith(part)}
    open_places: dict[str, list[str]] = {}
    for name in here:
        open_places.setdefault(source.wanted(name), []).append(name)
    report = Report()
    filled: dict[str, Tensor] = {}
    for name, found_by in source.names.items():
        tensor = source.tensors[name]
        places = open_places.pop(found_by, None)
        if places is None:
            _account_for_placeless(name, found_by, part, report)
            continue
        rows, *others = here[places[0]].shape
        wanted = (len(places) * rows, *others)
        if tuple(tensor.shape) != wanted:
            report.mismatched.append(Mismatch(name, tuple(tensor.shape), wanted))
            continue
        filled |= zip(places, tensor.chunk(len(places)), strict=True)
        report.loaded[name] = tuple(places)
    for name in (name for places in open_places.values() for name in places):
        if part and name.startswith("backbone.hidden_states_norms."):
            report.kept[name] = "ImageNet's classifiers have none"
        else:
            report.missing.append(name)
    if strict:
        report.demand_fit(source.file)
    _demand_numbers(report, source)
    model.load_state_dict(filled, strict=False)
    return report


def _account_for_placeless(name: str, found_by: str, part: str, report: Report) -> None:
    reason = key_map.reason_to_set_aside(found_by)
    if reason is None and not found_by.startswith(part):
        reason = "not of the backbone"
    if reason is None:
        report.unexpected.append(name)
    else:
        report.set_aside[name] = reason


def _demand_numbers(report: Report, source: _Source) -> None:
    for name in report.loaded:
        if not source.tensors[name].isfinite().all():
            raise DataError(
                f"the tensor {name} holds NaN or infinity",
                file=source.file,
                remedy="Its training diverged: take weights from before that",
            )


def _parse_config(plain: dict[str, Any], file: Path) -> ModelConfig:
    try:
        backbone = {k: tuple(v) if isinstance(v, list) else v for k, v in plain["backbone"].items()}
        kind = {kind.__name__: kind for kind in kinds.BACKBONES}[backbone.pop("kind")]
        return ModelConfig(**{**plain, "backbone": kind(**backbone)})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"its config is not one of this evis ({error})",
            file=file,
            remedy="Was it written by a newer evis? Update this one",
        ) from error


def _own_entry(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        entry = json.loads(metadata[_ENTRY])
        return {"config": entry["config"], "about": dict(entry["about"])}
    except (KeyError, TypeError, ValueError):
        raise DataError(
            "was not written by evis, and says nothing about the model's sizes",
            file=path,
            remedy="evis.models.load takes what evis.models.save wrote, or the .pth or .pkl of a "
            "reference implementation",
        ) from None
