"""Weights in and out: evis's own files, and those of the papers' reference implementations.

`load` builds the model that a file holds, `load_into` and `load_backbone` fill one that exists.
Each accounts for every tensor on both sides in a `Report`, and unless told otherwise refuses what
doesn't fit before it touches the model.
"""

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from evis.data import files
from evis.data.errors import DataError
from evis.models import key_map, sizes, weight_files
from evis.models.config import Backbone, ModelConfig, ResNet, Swin, Tiny
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
        return _build(_by_reference(weight_files.tensors_of(weights)), strict=True)[0]
    return _build(_open(weights), strict=True)[0]


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
    source = _open(path, part=_BACKBONE)
    elsewhere = {
        name: "not of the backbone"
        for name, places in source.places.items()
        if places and not places[0].startswith(_BACKBONE)
    }
    source = replace(
        source,
        places={name: at for name, at in source.places.items() if name not in elsewhere},
        set_aside=source.set_aside | elsewhere,
    )
    return _fill(model, source, strict, part=_BACKBONE)


def save(model: VideoMask2Former, path: str | Path, **about: Any) -> Path:
    """Write weights and config as .safetensors; `about` is anything that json can hold."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    entry = files.to_json({"config": _to_plain(model.config), "about": about})
    return files.write_bytes(path, safetensors.torch.save(tensors, {_ENTRY: entry}))


def read_about(path: str | Path) -> dict[str, Any]:
    """What `save` was told about a model."""
    path = Path(path)
    return _own_entry(path, weight_files.read(path)[1] or {})["about"]


@dataclass(frozen=True)
class _Source:
    """Tensors by their names in a file, and where each belongs in the model."""

    tensors: dict[str, Tensor]
    places: dict[str, tuple[str, ...]]  # names here; none if unknown
    set_aside: dict[str, str]
    config: ModelConfig
    file: Path | None


def _open(path: str | Path, part: str = "") -> _Source:
    path = Path(path)
    tensors, metadata = weight_files.read(path)
    if metadata is None:
        return _by_reference(tensors, path, part)
    config = _from_plain(_own_entry(path, metadata)["config"], path)
    return _Source(tensors, {name: (name,) for name in tensors}, {}, config, path)


_WRAPPERS = re.compile(r"^((module|model|_orig_mod)\.)+")  # of DDP, Lightning, torch.compile
_CAFFE2 = re.compile(r"res\d_\d+_branch\d\w*")


def _by_reference(tensors: dict[str, Tensor], file: Path | None = None, part: str = "") -> _Source:
    """Tensors under the reference's names; those of `part` alone may lack its prefix."""
    plain = {name: _WRAPPERS.sub("", name) for name in tensors}
    if any(_CAFFE2.fullmatch(name) for name in plain.values()):
        raise DataError(
            "is a network of Caffe2, such as MSRA's R-50.pkl (BGR, stride in the 1x1 convolution)",
            file=file,
            remedy="Give torchvision's R-50.pkl or R-101.pkl of detectron2's model zoo",
        )
    if not any(name.startswith(part) for name in plain.values()):
        plain = {name: part + stripped for name, stripped in plain.items()}
    reasons = {name: key_map.reason_to_set_aside(plain[name]) for name in tensors}
    return _Source(
        tensors,
        places={name: key_map.ours(plain[name]) for name in tensors if reasons[name] is None},
        set_aside={name: reason for name, reason in reasons.items() if reason is not None},
        config=None,
        file=file,
    )


def _build(source: _Source, strict: bool) -> tuple[VideoMask2Former, Report]:
    config = source.config or _config_of(source)
    try:
        model = VideoMask2Former(config)
    except (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"no model has the sizes {config} ({error})",
            file=source.file,
            remedy="Is it a whole checkpoint of Mask2Former-VIS?",
        ) from error
    report = _fill(model, source, strict)
    return model.eval(), report


def _config_of(source: _Source) -> ModelConfig:
    named = {
        places[0]: source.tensors[name]
        for name, places in source.places.items()
        if len(places) == 1
    }
    if not any(name.startswith("decoder.") for name in named):
        raise DataError(
            "holds no Mask2Former-VIS under the reference's names",
            file=source.file,
            remedy="For the weights of a backbone alone, make a model and call load_backbone",
        )
    return sizes.config_of(named, source.file)


def _fill(model: VideoMask2Former, source: _Source, strict: bool, part: str = "") -> Report:
    """Copy what fits into the model, or into the part of it whose names begin so."""
    here = {name: t for name, t in model.state_dict().items() if name.startswith(part)}
    found: dict[str, Tensor] = {}
    loaded, unexpected, mismatched = {}, [], []
    untouched = set(here)
    for name, places in source.places.items():
        if not places or not untouched.issuperset(places):
            unexpected.append(name)
            continue
        untouched.difference_update(places)
        tensor, first = source.tensors[name], here[places[0]]
        wanted = (len(places) * first.shape[0], *first.shape[1:])
        if tuple(tensor.shape) != wanted:
            mismatched.append(Mismatch(name, tuple(tensor.shape), wanted))
            continue
        found |= zip(places, tensor.chunk(len(places)), strict=True)
        loaded[name] = places
    kept = {
        name: "ImageNet's classifiers have none"
        for name in untouched
        if part and name.startswith("backbone.hidden_states_norms.")
    }
    missing = tuple(name for name in here if name in untouched - kept.keys())
    report = Report(loaded, source.set_aside, kept, missing, tuple(unexpected), tuple(mismatched))
    if strict:
        report.demand_fit(source.file)
    model.load_state_dict(found, strict=False)
    return report


def _to_plain(config: ModelConfig) -> dict[str, Any]:
    backbone = {"kind": type(config.backbone).__name__, **asdict(config.backbone)}
    return {**asdict(config), "backbone": backbone}


def _from_plain(plain: dict[str, Any], file: Path) -> ModelConfig:
    kinds: dict[str, type[Backbone]] = {kind.__name__: kind for kind in (ResNet, Swin, Tiny)}
    try:
        backbone = dict(plain["backbone"])
        kind = kinds[backbone.pop("kind")]
        backbone = {k: tuple(v) if isinstance(v, list) else v for k, v in backbone.items()}
        return ModelConfig(**{**plain, "backbone": kind(**backbone)})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"its config is not one of this evis ({error})",
            file=file,
            remedy="Was it written by a newer evis? Update this one",
        ) from error


def _own_entry(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        entry = json.loads(metadata[_ENTRY])
        return {"config": entry["config"], "about": entry["about"]}
    except (KeyError, TypeError, ValueError):
        raise DataError(
            "was not written by evis, and says nothing about the model's sizes",
            file=path,
            remedy="evis.models.load takes what evis.models.save wrote, or the .pth or .pkl of a "
            "reference implementation",
        ) from None
