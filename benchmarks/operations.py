"""How many operations a training step of stage three dispatches, and how often the host waits.

    python benchmarks/operations.py [--model r50] [--height 128] [--list 20]

Two clips of three frames, ten decoder layers, boxes with TK, TEL and QCC: forward, loss, backward,
clipping and AdamW, as the engine does them. On a GPU an operation is a launch or more, but a view
costs the host alone; at each wait the GPU runs dry. No GPU is needed to count them: the CPU stands
for it, what is computed from weights or was moved "there" is taken to lie there, and the host waits
where it reads such a tensor, or moves one there without `non_blocking`. Frames are small, as the
numbers hardly depend on their size. At most 5,000 operations and 20 waits are wanted.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

OPERATIONS, WAITS = 5_000, 20  # wanted
READS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class Counted(TorchDispatchMode):
    """Counts operations and waits, each by name."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.operations, self.waits, self.views = Counter(), Counter(), 0
        self.there = WeakIdKeyDictionary()  # tensors that lie on the device
        for tensor in (*model.parameters(), *model.buffers()):
            self.there[tensor] = True
        self.patches = ExitStack()

    def __enter__(self):
        for owner, name, counting in (
            (Tensor, "to", self._to),
            (Tensor, "cpu", self._cpu),
            (Tensor, "tolist", self._tolist),
            (F, "one_hot", self._one_hot),
            (torch, "tensor", self._tensor),
            (torch, "as_tensor", self._tensor),
        ):
            self.patches.enter_context(patch.object(owner, name, counting(getattr(owner, name))))
        return super().__enter__()

    def __exit__(self, *error):
        self.patches.close()
        return super().__exit__(*error)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, kwargs = function._schema.name.removeprefix("aten::"), kwargs or {}
        self.operations[name] += 1
        self.views += function.is_view
        is_there = self._is_there((args, kwargs))
        by_mask = name in INDEXING and any(i is not None and i.dtype == torch.bool for i in args[1])
        if is_there and (name in READS or by_mask):
            self.waits[name] += 1
        return self._mark(function(*args, **kwargs), is_there)

    def _is_there(self, values) -> bool:
        return any(isinstance(leaf, Tensor) and leaf in self.there for leaf in tree_leaves(values))

    def _mark(self, values, is_there: bool = True):
        for leaf in tree_leaves(values) if is_there else ():
            if isinstance(leaf, Tensor):
                self.there[leaf] = True
        return values

    def _to(self, original: Callable) -> Callable:
        def to(tensor, *args, **kwargs):
            places = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.device | Tensor)]
            moved = any(not isinstance(place, Tensor) or place in self.there for place in places)
            if not moved or tensor in self.there:
                return original(tensor, *args, **kwargs)
            self.waits["to"] += not kwargs.get("non_blocking")
            return self._mark(original(tensor, *args, **kwargs).view_as(tensor))

        return to

    def _tensor(self, original: Callable) -> Callable:
        def tensor(*args, device=None, **kwargs):
            is_there = isinstance(device, torch.device)  # "cpu" is written out
            self.waits["tensor"] += is_there
            return self._mark(original(*args, device=device, **kwargs), is_there)

        return tensor

    def _one_hot(self, original: Callable) -> Callable:
        """A CPU looks whether a given number of classes is enough, a GPU does not."""

        def one_hot(values, num_classes):
            return (values.unsqueeze(-1) == torch.arange(num_classes)).long()

        return one_hot

    def _cpu(self, original: Callable) -> Callable:
        def cpu(tensor):
            self.waits["cpu"] += tensor in self.there
            with patch.object(self, "_mark", lambda values, _: values):
                return original(tensor).clone()

        return cpu

    def _tolist(self, original: Callable) -> Callable:
        def tolist(tensor):
            self.waits["tolist"] += tensor in self.there
            return original(tensor)

        return tolist


def steps(size: str, frame: tuple[int, int], number: int = 2) -> list[Counted]:
    """Steps of stage three on a made-up video, each counted; the first one fills caches."""
    from evis.data.made_up import made_up
    from evis.losses import qcc, secular, tel, tk
    from evis.papers.eigencluster import method
    from evis.papers.eigencluster.recipes import named
    from evis.training import engine
    from evis.training.run import Run

    changes = {"init": None, "model": size, "steps": number, "shorter_sides": (min(frame),)}
    recipe, found, advance = replace(named("eigencluster.stage3"), **changes), [], Run.advance

    def counting(run: Run, loader):
        for group in run.optimiser.param_groups:
            group["fused"] = True  # as on a GPU
        with Counted(run.model) as counted:
            values = advance(run, loader)
        found.append(counted)
        return values

    foreach = "_get_foreach_kernels_supported_devices"
    with ExitStack() as patches:
        folder = patches.enter_context(tempfile.TemporaryDirectory())
        for owner, name, stand_in in (
            (Run, "advance", counting),
            (torch.utils._foreach_utils, foreach, lambda: ["cpu", "cuda"]),  # for clipping
            *((module, "is_far", lambda values: True) for module in (qcc, secular, tel, tk)),
        ):
            patches.enter_context(patch.object(owner, name, stand_in))
        datasets = {"videos": made_up(4, 40, frame)}
        engine.train(recipe, datasets, Path(folder) / "run", method, device="cpu", progress=False)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="r50")
    parser.add_argument("--height", type=int, default=128)
    parser.add_argument("--list", type=int, default=0, help="so many names, the most frequent")
    options = parser.parse_args()
    found = steps(options.model, (options.height, 16 * options.height // 9))[-1]
    operations, waits = found.operations.total(), found.waits.total()
    print(
        f"{operations:,} operations, {found.views:,} of them views; {OPERATIONS:,} wanted at most"
    )
    print(f"{waits} waits: {dict(+found.waits)}; {WAITS} wanted at most")
    for name, number in found.operations.most_common(options.list):
        print(f"  {number:6,} {name}")


if __name__ == "__main__":
    main()
