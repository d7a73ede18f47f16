"""`predict` against the network alone, and windows against whole videos.

    python benchmarks/predict_speed.py [--rounds 3] [--store]

R50 sees 360 x 640 of frames of 720 x 1280; its weights are random and so its masks noise, the
dearest to encode. Four frames, on one thread of a CPU: whole, in windows of two, and frame by
frame, each round after the other, and in each the forward passes are timed apart. Medians of
process time. Wanted: at most 1.1 times the forward pass, windows at most 1.3 times the whole.

Then sixteen frames in windows of eight on two threads: seconds a frame by the clock, so that the
machine has to be quiet. Wanted: at most 0.6. Beside it what the network's matrix products and
convolutions would take if they went as fast as one large matrix product goes here, and all else
took no time: how far off that wish a machine is.
"""

import time
from collections import defaultdict
from statistics import median

from command import finish, parser_of

FRAMES, WINDOWS = 4, {"whole": None, "windows": 2, "frame by frame": 1}
TO_FORWARD, TO_WHOLE = 1.1, 1.3  # wanted
LONGER, EIGHT, A_FRAME = 16, 8, 0.6  # frames, a window's, and the seconds that are wanted


def run(rounds: int) -> dict[str, float]:
    return ratios(rounds) | seconds_a_frame(rounds)


def pictures(frames: int):
    import numpy as np

    return np.random.default_rng(0).integers(0, 255, (frames, 720, 1280, 3), dtype=np.uint8)


def seconds_a_frame(rounds: int) -> dict[str, float]:
    import torch

    from evis.inference import Options, predict
    from evis.models import VideoMask2Former, named

    torch.set_num_threads(2)
    torch.manual_seed(0)
    model, frames, taken = VideoMask2Former(named("r50", 40)), pictures(LONGER), []
    predict(model, frames[:1], progress=False)
    for _ in range(rounds):
        start = time.perf_counter()
        predict(model, frames, Options(window=EIGHT), progress=False)
        taken.append((time.perf_counter() - start) / LONGER)
    least = arithmetic_seconds(model, frames[:1], rounds)
    print(f"  windows of {EIGHT}, two threads: {median(taken):.2f} s a frame ({A_FRAME} wanted)")
    print(f"  its arithmetic alone, at the speed of a matrix product: {least:.2f} s a frame")
    return {
        f"windows of {EIGHT} on two threads, s a frame": median(taken),
        "arithmetic at the speed of a matrix product, s a frame": least,
    }


def arithmetic_seconds(model, frame, rounds: int) -> float:
    """The multiplications and additions of one frame, at the rate of the fastest large product."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from evis.inference import predict

    with FlopCounterMode(display=False) as counted:
        predict(model, frame, progress=False)
    side, taken = 2048, []
    square = torch.rand(side, side)
    for _ in range(5 * rounds):
        start = time.perf_counter()
        square @ square
        taken.append(time.perf_counter() - start)
    return counted.get_total_flops() * min(taken) / (2 * side**3)


def ratios(rounds: int) -> dict[str, float]:
    import torch

    from evis.inference import Options, predict
    from evis.models import VideoMask2Former, named

    torch.set_num_threads(1)
    torch.manual_seed(0)
    forward = []

    class Timed(VideoMask2Former):
        def forward(self, *arguments, **settings):
            start = time.process_time()
            prediction = super().forward(*arguments, **settings)
            forward.append(time.process_time() - start)
            return prediction

    model = Timed(named("r50", 40))
    frames = pictures(FRAMES)
    taken, inside = defaultdict(list), defaultdict(list)
    predict(model, frames[:1], progress=False)
    for _ in range(rounds):
        for name, window in WINDOWS.items():
            forward.clear()
            start = time.process_time()
            predict(model, frames, Options(window=window), progress=False)
            taken[name].append(time.process_time() - start)
            inside[name].append(sum(forward))
    found = {}
    for name, seconds in taken.items():
        ratios = [whole / part for whole, part in zip(seconds, inside[name], strict=True)]
        found[f"{name}, to its forward passes"] = median(ratios)
        print(f"  {name:15} {median(seconds) / FRAMES:.2f} s a frame, ", end="")
        print(f"{median(ratios):.2f} times its forward passes ({TO_FORWARD} wanted)")
    for name in ("windows", "frame by frame"):
        ratios = [a / b for a, b in zip(taken[name], taken["whole"], strict=True)]
        found[f"{name}, to the whole"] = median(ratios)
        print(f"  {name:15} {median(ratios):.2f} times the whole ({TO_WHOLE} wanted)")
    return found


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    recipe = {"name": "benchmark predict speed", "model": "r50", "frames": FRAMES}
    finish(options, recipe, "random-pictures", lambda: run(options.rounds))


if __name__ == "__main__":
    main()
