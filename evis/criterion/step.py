"""Where training stands when a loss is called."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One update of the weights, over all its micro-batches and processes.

    `objects` is the mean number of objects a micro-batch over all of these. Mask losses divide by
    it, so that every object weighs the same however a step is split. None stands for the number in
    the batch at hand, which is right where a step has one micro-batch and one process.
    """

    number: int = 0
    objects: float | None = None
