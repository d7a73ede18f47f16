"""Files of the stand-ins: small networks of our own in place of foundation models.

Sizes, and what made the weights, stand in the file's metadata. data/weights/foundation holds those
that `evis train NAME` made.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor, nn

from evis.data import files, jsonfile, paths
from evis.data.errors import DataError

_ENTRY = "evis stand-in"  # the one entry of the metadata: json
_WIDEST = 4096  # channels of a layer
Network = TypeVar("Network", bound=nn.Module)


class Stored(NamedTuple):
    sizes: dict[str, Any]  # what the network's class is called with
    about: dict[str, Any]  # the recipe, the commit and the packages that made it
    tensors: dict[str, Tensor]


def save(network: nn.Module, path: str | Path, **about: Any) -> Path:
    """Write the weights of a network that says its `sizes`."""
    entry = {"kind": type(network).__name__, "sizes": network.sizes, "about": about}
    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    content = safetensors.torch.save(tensors, {_ENTRY: files.to_json(entry)})
    return files.write_bytes(path, content)


def committed(name: str) -> Path:
    """The file of the repository's own weights of this stand-in."""
    return paths.data() / "weights" / "foundation" / f"{name}.safetensors"


def read(kind: type[nn.Module], name: str, path: str | Path | None = None) -> Stored:
    """What a file of this kind of network holds; the repository's own unless given."""
    path = files.regular(path or committed(name))
    remedy = f"Train them (evis train {name} --folder OUT), and give OUT/weights.safetensors"
    try:
        with safe_open(path, "pt") as opened:
            entry = json.loads((opened.metadata() or {})[_ENTRY])
            if entry["kind"] != kind.__name__:
                raise ValueError(f"of {entry['kind']}")
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
        if bad := [key for key, tensor in tensors.items() if not tensor.isfinite().all()]:
            raise ValueError(f"{bad[0]} holds NaN or infinity")
        sizes = dict(entry["sizes"])
        for size_of, size in sizes.items():  # before anything is built: each block is a module
            most = len(tensors) if size_of == "blocks" else _WIDEST
            if not isinstance(size, list) and not 1 <= size <= most:
                raise ValueError(f"{size_of} = {jsonfile.brief(size)}")
        return Stored(sizes, dict(entry["about"]), tensors)
    except FileNotFoundError:
        problem = f"there is no such file of {name}'s weights"
        raise DataError(problem, file=path, remedy=remedy) from None
    except Exception as error:  # a damaged file can fail anywhere
        raise _unfit(name, path, error, remedy) from error


def load(
    kind: type[Network],
    name: str,
    path: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Network:
    """The network of a file, in eval mode."""
    stored = read(kind, name, path)
    try:
        with torch.device("meta"):  # the sizes that the file claims, at no cost
            network = kind(**stored.sizes)
        network.load_state_dict(stored.tensors, assign=True)
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        file = path or committed(name)
        raise _unfit(name, file, error, "Train them anew, or take them from git") from error
    return network.to(device, dtype).eval()


def _unfit(name: str, path: str | Path, error: Exception, remedy: str) -> DataError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DataError(f"holds no weights of a {name} ({said})", file=path, remedy=remedy)
