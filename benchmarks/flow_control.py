"""Does flow show what moves? What FlowCut's claims on flow build on, of labels alone.

Of the objects of training videos that move over the ground, those that labels of colour and flow
have, and those that labels of colour alone have; a video is a unit. It may fail: then those claims
are not judged.

    python benchmarks/flow_control.py [--store]
"""

import argparse
import tempfile
from pathlib import Path

from evis.companion.held_out import VIDEOS
from evis.papers.flowcut import control
from evis.papers.flowcut.experiments import LATER


def run(shelf: Path | None) -> None:
    for on in (VIDEOS, LATER):
        for name, value in control.measure(on, shelf, recompute=True).metrics.items():
            print(f"{name}: {value:.1f}")
        print(control.of_flow(on, shelf))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", action="store_true", help="keep the numbers in data/results")
    if parser.parse_args().store:
        run(None)
        return
    with tempfile.TemporaryDirectory() as shelf:
        run(Path(shelf))


if __name__ == "__main__":
    main()
