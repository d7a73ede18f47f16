"""What decides between colour and toy_dino, how good masks from boxes and names are.

    python benchmarks/stand_ins.py [--again]

Rows that data/results lacks, or that other weights made, are measured and stored there.

Masks: MaskCut's, outlined by CRF, on 300 validation stills of toy-coco; and those made from true
boxes. Names: of the objects of these, and of 100 validation videos of toy-ytvis19, two of whose
classes toy_clip never heard of.
"""

import argparse

from threadpoolctl import threadpool_limits

from evis.companion import stand_ins, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--again", action="store_true", help="measure what is stored anew")
    again = parser.parse_args().again
    with threadpool_limits(1):
        masks = {name: stand_ins.masks_row(name, again) for name in stand_ins.FEATURES}
        for name, row in masks.items():
            show(f"masks of {name}", row)
        print(f"default: {stand_ins.default(masks)}")
        for name in stand_ins.OF_BOXES:
            show(f"masks from boxes by {name}", stand_ins.boxes_row(name, again))
        show("names of toy_clip", stand_ins.names_row(again))


def show(title: str, row: store.ResultRow) -> None:
    print(title, *(f"  {name:36} {value:.4f}" for name, value in row.metrics.items()), sep="\n")


if __name__ == "__main__":
    main()
