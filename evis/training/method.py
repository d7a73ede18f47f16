"""What the engine asks of a method: a paper's `method.py` is one, and so is any such object."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from evis.criterion.step import Step
from evis.data.clips import Clip
from evis.training.recipe import Recipe

# (prediction, its clips, the step, what all that is random is drawn from) -> every term by name,
# scalars, with the one that is minimised under "total".
Loss = Callable[[Any, Sequence[Clip], Step, torch.Generator], dict[str, Tensor]]


class Method(Protocol):
    """A network and a loss.

    What the network returns for frames (B, T, 3, H, W), RGB 0..255, is what the loss is given,
    with the B clips that the frames are of. The network has a part `backbone`, which a recipe may
    freeze or slow down, and an attribute `recompute_activations`; `evis.models` reads and writes
    its weights. A loss that is itself an nn.Module is trained and saved with the network.
    """

    def build(self, recipe: Recipe, classes: Sequence[str]) -> nn.Module:
        """A fresh network for these classes."""

    def loss(self, recipe: Recipe) -> Loss: ...
