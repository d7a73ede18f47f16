"""BoxInst's terms as PM-VIS has them, on AdelaiDet's golden numbers.

The caller gives what differs from MaskFreeVIS: similarities of neighbours that are no part of the
picture (its padding, the rows at its bottom) set to 0, and boxes drawn at one pixel of every four.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from evis.losses import boxinst
from evis.losses.idol import subsampled
from evis.losses.neighbours import RING, shifted, window_cost

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("boxinst_adelaidet_*.npz"))
PRINTED, RELEASED = 0.2, 0.3  # thresholds of colour


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request):
    return {name: torch.from_numpy(value) for name, value in np.load(request.param).items()}


def close(found, wanted, relative=1e-5):
    found, wanted = found.detach().double(), wanted.double()
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= relative * wanted.abs().max()


def similarities(golden):
    """(B, 8, h, w): 0 where the neighbour is no part of the picture."""
    similarity = boxinst.color_similarity(boxinst.lab(golden["images"]))
    valid = golden["valid_pixels"].float()
    return similarity * torch.stack(shifted(valid, 2, RING), dim=1)


def instances(golden):
    """Logits that need gradients, (M, h, w), the boxes and similarities of each."""
    logits = golden["mask_logits"].squeeze(1).requires_grad_()
    owner = golden["gt_indices"]
    picture = torch.arange(len(golden["images"])).repeat_interleave(golden["boxes_per_image"])
    return logits, golden["box_masks"][owner], similarities(golden)[picture[owner]]


def test_there_are_golden_files():
    assert len(GOLDEN) == 2


def test_golden_colours(golden):
    torch.testing.assert_close(boxinst.lab(golden["images"]), golden["lab"])
    torch.testing.assert_close(
        similarities(golden), golden["color_similarity"], rtol=1e-4, atol=1e-7
    )


def test_golden_valid_pixels_and_boxes_are_one_pixel_of_every_four(golden):
    size = golden["images"].shape[-2:]
    valid = torch.zeros(len(golden["images"]), *size)
    limits = zip(golden["image_sizes"], golden["bottom_pixels_removed"], strict=True)
    for picture, ((height, width), bottom) in enumerate(limits):
        valid[picture, : height - bottom, :width] = 1
    assert torch.equal(subsampled(valid).byte(), golden["valid_pixels"])
    drawn = torch.zeros(len(golden["boxes_xyxy"]), *size)
    for mask, (x0, y0, x1, y1) in zip(drawn, golden["boxes_xyxy"].tolist(), strict=True):
        mask[int(y0) : int(y1 + 1), int(x0) : int(x1 + 1)] = 1
    assert torch.equal(subsampled(drawn).byte(), golden["box_masks"])


def test_golden_pairwise_weights_and_terms(golden):
    logits, boxes, similarity = instances(golden)
    weights = boxinst.alike(similarity, RELEASED) * boxes.unsqueeze(1)
    assert torch.equal(weights.byte(), golden["pairwise_weights"])
    used = golden["pairwise_weights"].bool()
    close(window_cost(logits, logits, 2, RING)[used], golden["pairwise_term"][used])


def test_golden_losses_and_gradients(golden):
    logits, boxes, similarity = instances(golden)
    steps = golden["iteration"].item(), golden["warmup_iterations"].item()
    pairwise = boxinst.pairwise_loss(logits, similarity, boxes, RELEASED) * boxinst.warm_up(*steps)
    found = {"projection": boxinst.projection_loss(logits, boxes), "pairwise": pairwise}
    for name, loss in found.items():
        close(loss, golden[f"loss_{name}"])
        (gradient,) = torch.autograd.grad(loss, logits)
        close(gradient, golden[f"grad_loss_{name}"].squeeze(1))


def test_the_printed_threshold_takes_in_more_edges(golden):
    logits, boxes, similarity = instances(golden)
    edges = {}
    for threshold in (PRINTED, RELEASED):
        similar = boxinst.alike(similarity, threshold)
        cost, edges[threshold] = boxinst.pairwise_sum(logits, similar, boxes)
        loss = boxinst.pairwise_loss(logits, similarity, boxes, threshold)
        torch.testing.assert_close(loss, cost / edges[threshold])
    assert edges[PRINTED] > edges[RELEASED] > 0
    # Between the two, an edge counts for one and not for the other.
    between = (similarity >= PRINTED) & (similarity < RELEASED) & boxes.unsqueeze(1).bool()
    assert edges[PRINTED] - edges[RELEASED] == between.sum()
