"""Weights in and out: evis's own files, those of reference implementations, Hugging Face's folders.

`load` builds the model that a file holds; `load_into`, `load_backbone` and `warm_start` fill one
that exists. Each accounts for every tensor on both sides in a `Report`, and unless told otherwise
refuses what doesn't fit before it touches the model.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, get_args

import safetensors.torch
import torch
from torch import Tensor, nn

from evis.data import files, jsonfile, torch_files
from evis.data.errors import DataError
from evis.models import huggingface, idol_reference, reference, weight_files
from evis.models.config import Backbone, ModelConfig
from evis.models.idol import IDOL
from evis.models.video_mask2former import VideoMask2Former

Network = VideoMask2Former | IDOL

_BACKBONE = "backbone."
_ENTRY = "evis"  # the one entry of the metadata in evis's own files: json


_LOADED, _SET_ASIDE = "tensors loaded", "set aside: "
_MISSING, _UNEXPECTED, _OTHER_SHAPE = "missing", "unexpected", "of another shape"
_OTHER_KIND = "of other numbers"  # whole or complex, where these are fractions


class Report(dict[str, str]):
    """What became of each tensor: the model's by their names, others of the file by theirs."""

    def demand_fit(self, file: object) -> None:
        """Refuse what is missing, unexpected, of another shape or of other numbers."""
        troubles: dict[str, list[str]] = {}
        for name, fate in self.items():
            if fate.startswith((_MISSING, _UNEXPECTED, _OTHER_SHAPE, _OTHER_KIND)):
                troubles.setdefault(fate, []).append(name)
        listed = [
            f"{len(names)} {fate} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for fate, names in troubles.items()
        ]
        if listed:
            raise DataError(
                f"the weights do not fit the model: {'; '.join(listed)}",
                file=file,
                remedy="Give weights of this model and size (--set model=... changes the size); in "
                "Python load_into with strict=False loads what fits",
            )


def load(weights: Mapping[str, Any] | str | Path) -> Network:
    """The model in a file, in eval mode, whatever its size; `classes` are their names if it tells.

    weights: what `save` wrote; a .pth or .pkl of Mask2Former-VIS, MinVIS, MaskFreeVIS,
        Eigen-Cluster VIS, IDOL or PM-VIS; the state dict of one of these; or a folder in Hugging
        Face's Mask2Former format (instance segmentation, with a ResNet or a Swin).
    """
    return load_with_report(weights)[0]


load_reference = load  # by this name for a reference implementation's


def load_with_report(weights: Mapping[str, Any] | str | Path) -> tuple[Network, Report]:
    """As `load`, with what became of every tensor."""
    source = _open(weights)
    is_idol = idol_reference.is_idol(source.tensors)
    config_of = idol_reference.config_of if is_idol else reference.config_of
    build = IDOL if is_idol else VideoMask2Former
    try:
        config = source.config or config_of(source.tensors, source.file)
        with torch.device("meta"):  # the sizes that the file claims, held against it at no cost
            _compare(build(config), source)[0].demand_fit(source.file)
        model = build(config)
    except DataError:
        raise
    except (ArithmeticError, AssertionError, IndexError, RuntimeError, TypeError, ValueError) as e:
        raise DataError(
            f"no model has the sizes of its tensors ({e})",
            file=source.file,
            remedy="Is it a whole checkpoint of Mask2Former-VIS or IDOL?",
        ) from e
    report = _fill(model, source)
    model.classes = source.about.get("categories")
    recipe = source.about.get("recipe")
    if isinstance(recipe, dict) and recipe.get("shorter_sides"):
        model.shorter_side = min(recipe["shorter_sides"])
    model.clip_length = clip_length(source.about.get("recipe"))
    return model.eval(), report


def load_into(model: Network, path: str | Path, strict: bool = True) -> Report:
    """Fill a model from a file of either kind.

    With strict=False the model keeps its own where a tensor is missing or of another shape: the
    classifier, say, when the file was trained on another number of classes.
    """
    return _fill(model, _open(path), strict)


def load_backbone(model: Network, path: str | Path) -> Report:
    """Fill the backbone alone: from ImageNet weights, or from a whole checkpoint.

    ResNets: detectron2's conversions of torchvision's R-50 and R-101 (RGB, stride in the 3x3
    convolution). MSRA's R-50.pkl is another network (BGR, stride in the 1x1 convolution). As it was
    published its names differ, and it is refused; once renamed, no name or shape tells the two
    apart. Swin: the .pth files of its authors; they have no norms for the features of each stage,
    so those stay as they are.
    """
    source = _open(path)
    if any(re.fullmatch(r"res\d_\d+_branch\d\w*", name) for name in source.tensors):
        raise DataError(
            "is a network of Caffe2, such as MSRA's R-50.pkl (BGR, stride in the 1x1 convolution)",
            file=path,
            remedy="Give torchvision's R-50.pkl or R-101.pkl of detectron2's model zoo",
        )
    if not any(name.startswith(_BACKBONE) for name in source.tensors):
        prefixed = {_BACKBONE + name: tensor for name, tensor in source.tensors.items()}
        source = source._replace(tensors=prefixed)
    return _fill(model, source, part=_BACKBONE)


def warm_start(model: Network, path: str | Path, classes: Sequence[str]) -> None:
    """Fill a model for these classes. Of the file's classifier, classes of the same name go on.

    Where the file doesn't name its classes, the classifier stays fresh unless it fits.
    """
    theirs = read_about(path).get("categories")
    report = load_into(model, path, strict=False)
    heads = _classifiers(model)
    for name in (f"{head}.{kind}" for head in heads for kind in ("weight", "bias")):
        if report.get(name, "").startswith(_OTHER_SHAPE):
            del report[name]
    report.demand_fit(path)
    if theirs in (None, list(classes)):
        return
    trained = _classifiers(load(path))
    for name, head in heads.items():
        head.reset_parameters()
        learned = trained[name]
        # None: "no object", of which IDOL has no row
        rows = dict(zip([*theirs, None], range(learned.out_features), strict=False))
        with torch.no_grad():
            for row, of in enumerate([*classes, None]):
                if of in rows:
                    head.weight[row] = learned.weight[rows[of]]
                    head.bias[row] = learned.bias[rows[of]]


def _classifiers(model: Network) -> dict[str, nn.Linear]:
    """By their names: Mask2Former's one, or that of each of IDOL's layers."""
    pattern = re.compile(r"decoder\.classify|classify\.\d+")
    return {name: part for name, part in model.named_modules() if pattern.fullmatch(name)}


def save(model: Network, path: str | Path, **about: Any) -> Path:
    """Write weights and config as .safetensors; `about` is anything that json can hold."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    backbone = {"kind": type(model.config.backbone).__name__, **asdict(model.config.backbone)}
    config = {**asdict(model.config), "backbone": backbone}
    entry = files.to_json({"config": config, "about": about})
    return files.write_bytes(path, safetensors.torch.save(tensors, {_ENTRY: entry}))


def read_about(path: str | Path) -> dict[str, Any]:
    """What `save` was told about a model; of a reference implementation's file nothing is known."""
    return huggingface.about(Path(path)) if Path(path).is_dir() else _open(path).about


class _Source(NamedTuple):
    tensors: dict[str, Tensor]  # under the model's names; under the reference's without a config
    file: Path | None = None
    config: ModelConfig | None = None
    about: Mapping[str, Any] = {}


def _open(weights: Mapping[str, Any] | str | Path) -> _Source:
    if isinstance(weights, Mapping):
        return _Source(reference.up_to_date(torch_files.tensors_of(weights)))
    path = Path(weights)
    if path.is_dir():
        tensors, config, about = huggingface.read(path)
        return _Source(tensors, path, config, about)
    tensors, metadata = weight_files.read(path)
    if metadata is None:
        return _Source(reference.up_to_date(tensors), path)
    try:
        entry = json.loads(metadata[_ENTRY])
        config, about = _parse_config(entry["config"]), dict(entry["about"])
        _check_about(about)
        return _Source(tensors, path, config, about)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise DataError(
            f"was not written by evis, or by a newer one ({error!r})",
            file=path,
            remedy="evis.models.load takes what evis.models.save wrote, or the .pth or .pkl of a "
            "reference implementation",
        ) from None


def _parse_config(plain: dict[str, Any]) -> ModelConfig:
    """As it was before json made lists of its tuples."""
    backbone = {k: tuple(v) if isinstance(v, list) else v for k, v in plain["backbone"].items()}
    kind = {kind.__name__: kind for kind in get_args(Backbone)}[backbone.pop("kind")]
    return ModelConfig(**{**plain, "backbone": kind(**backbone)})


def _check_about(about: Mapping[str, Any]) -> None:
    """What of it is used: the classes' names, and how large frames are to be."""
    names, recipe = about.get("categories"), about.get("recipe")
    sides = recipe.get("shorter_sides") if isinstance(recipe, dict) else None
    if names is not None and not _are(jsonfile.is_text, names):
        raise ValueError(f"categories should be a list of names, is {jsonfile.brief(names)}")
    if sides and not _are(lambda side: isinstance(side, int) and 0 < side < 2**14, sides):
        raise ValueError(f"shorter_sides should be a list of pixels, is {jsonfile.brief(sides)}")
    length = clip_length(recipe)
    if length is not None and not (isinstance(length, int) and length > 0):
        raise ValueError(f"clips should have a number of frames, is {jsonfile.brief(length)}")


def clip_length(recipe: Any) -> int | None:
    """Frames of the longest clip that a recipe, as json, trains on; None where nothing tells."""
    if not isinstance(recipe, dict):
        return None
    lengths = {"stills": recipe.get("still_frames"), "videos": recipe.get("frames")}
    return max((lengths[source] for source, _ in recipe.get("mixture", ())), default=None)


def _are(is_right: Callable[[Any], bool], values: Any) -> bool:
    return isinstance(values, list) and all(map(is_right, values))


def _fill(model: Network, source: _Source, strict: bool = True, part: str = "") -> Report:
    """Copy what fits into the model, or into the part of it whose names begin so."""
    report, there = _compare(model, source, part)
    if strict:
        report.demand_fit(source.file)
    loaded = {name: there[name] for name, fate in report.items() if fate == _LOADED}
    model.load_state_dict(loaded, strict=False)
    return report


def _compare(
    model: Network, source: _Source, part: str = ""
) -> tuple[Report, Mapping[str, Tensor]]:
    """What would become of each tensor, and those of the source under the model's names."""
    here = {name: t for name, t in model.state_dict().items() if name.startswith(part)}
    names = idol_reference if isinstance(model, IDOL) else reference
    there = source.tensors if source.config else names.to_ours(source.tensors, here)
    report = Report()
    for name, tensor in there.items():
        if name in here:
            shapes = f"{tuple(tensor.shape)} there, {tuple(here[name].shape)} here"
            fits = tensor.shape == here[name].shape
            report[name] = _LOADED if fits else f"{_OTHER_SHAPE}, {shapes}"
            if tensor.is_floating_point() != here[name].is_floating_point():
                report[name] = f"{_OTHER_KIND}, {tensor.dtype} there, {here[name].dtype} here"
        elif reason := names.reason_to_set_aside(name):
            report[name] = _SET_ASIDE + reason
        elif not name.startswith(part):
            report[name] = _SET_ASIDE + "not of the backbone"
        else:
            report[name] = _UNEXPECTED
    for name in here:
        if name not in there:
            lacks = part and name.startswith("backbone.hidden_states_norms.")
            report[name] = _SET_ASIDE + "ImageNet's classifiers have none" if lacks else _MISSING
    return report, there
