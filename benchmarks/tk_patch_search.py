"""Claim: the patch search of the TK loss, without the unfolded tensor of 27 x 9 values a pixel,
takes at most a third of its memory and half of its time.

    python benchmarks/tk_patch_search.py [--height 120] [--width 216]

One clip of three frames, hence three pairs, at the size of a decoder's logits. The other side is
the formulation with `unfold`: every 3x3 patch as 27 channels, every candidate's patch beside it,
the norm of their differences, as lean as it can be (in place). Both run in turn, on one thread, on
the same pictures, and must agree. Memory is what each adds to the peak resident size of a process
of its own, the result included; small buffers are given back at once, so that none hide in the
heap. Linux only.
"""

import argparse
import os
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from command import finish, parser_of

from evis.losses import tk


def unfolded(lab_a: torch.Tensor, lab_b: torch.Tensor) -> torch.Tensor:
    """The same as `tk.patch_similarity`, from every pair of patches side by side."""
    height, width = lab_a.shape[-2:]
    own = F.unfold(lab_b, 3, padding=1).unflatten(-1, (height, width))  # (B, 27, h, w)
    other = F.unfold(lab_a, 3, padding=1).unflatten(-1, (height, width))
    candidates = F.unfold(other, 3, dilation=3, padding=3)  # (B, 27 * 9, h * w)
    candidates = candidates.unflatten(1, (27, 9)).unflatten(-1, (height, width))
    candidates -= own.unsqueeze(2)
    return candidates.square_().sum(1).sqrt_().mul_(-0.5).exp_()


FORMULATIONS = {"unfold": unfolded, "evis": tk.patch_similarity}


def pictures(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames a and b of the pairs (0, 1), (0, 2), (1, 2) of one smooth, drifting clip."""
    torch.manual_seed(0)
    coarse = torch.randn(1, 3, height // 8 + 2, width // 8 + 2)
    smooth = F.interpolate(coarse, (height + 4, width + 4), mode="bicubic")
    clip = torch.cat([smooth[..., t : t + height, t : t + width] for t in (0, 1, 3)])
    clip += 0.05 * torch.randn(clip.shape)
    return clip[[0, 0, 1]].contiguous(), clip[[1, 2, 2]].contiguous()


def resident(field: str) -> float:
    """MiB of VmRSS (now) or VmHWM (the peak)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


def added_peak(name: str, height: int, width: int) -> float:
    inputs = pictures(height, width)
    FORMULATIONS[name](*pictures(16, 16))  # load what is loaded lazily
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    before = resident("VmRSS")
    FORMULATIONS[name](*inputs)
    return resident("VmHWM") - before


def measured_alone(name: str, options: argparse.Namespace) -> float:
    size = ["--height", str(options.height), "--width", str(options.width)]
    command = [sys.executable, __file__, *size, "--memory", name]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(output.stdout)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--height", type=int, default=120)
    parser.add_argument("--width", type=int, default=216)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--memory", choices=FORMULATIONS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        print(added_peak(options.memory, options.height, options.width))
        return
    recipe = {"name": "benchmark tk patch search", "size": [options.height, options.width]}
    finish(options, recipe, "random pictures", lambda: run(options))


def run(options: argparse.Namespace) -> dict[str, float]:
    inputs = pictures(options.height, options.width)
    results = {name: function(*inputs) for name, function in FORMULATIONS.items()}
    difference = (results["unfold"] - results["evis"]).abs().max().item()
    assert difference < 1e-5, f"the formulations differ by {difference}"
    seconds = {name: [] for name in FORMULATIONS}
    for _ in range(options.repeats):
        for name, function in FORMULATIONS.items():
            begin = time.process_time()
            function(*inputs)
            seconds[name].append(time.process_time() - begin)
    best = {name: min(each) for name, each in seconds.items()}
    memory = {name: measured_alone(name, options) for name in FORMULATIONS}
    print(f"three pairs of {options.height} x {options.width}, largest difference {difference:.0e}")
    for name in FORMULATIONS:
        print(f"{name:7} {best[name] * 1e3:7.1f} ms  {memory[name]:7.1f} MiB")
    times, less = best["unfold"] / best["evis"], memory["unfold"] / memory["evis"]
    print(f"evis takes {times:.1f} times less time and {less:.1f} times less memory")
    assert times >= 2 and less >= 3, "the claim does not hold here"
    return {"times less time": times, "times less memory": less} | {
        f"{name}, {unit}": value
        for name in FORMULATIONS
        for unit, value in (("ms", best[name] * 1e3), ("MiB", memory[name]))
    }


if __name__ == "__main__":
    main()
