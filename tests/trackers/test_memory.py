"""UVIS's tracking memory: Eqs. 2-3 written out, every assignment by brute force, MinVIS's limit."""

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from evis.trackers import memory, minvis


def best(before: torch.Tensor, now: torch.Tensor) -> list[int]:
    cosine = F.normalize(before, dim=-1) @ F.normalize(now, dim=-1).T
    rows = range(len(now))
    return list(max(permutations(rows), key=lambda p: sum(cosine[i, p[i]].item() for i in rows)))


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
def test_frames_are_paired_with_the_last_queries_and_the_mean_before_them(weight):
    torch.manual_seed(1)
    embeddings = torch.randn(7, 5, 3, dtype=torch.float64) * torch.rand(7, 5, 1)
    links = memory.link(embeddings, weight)
    assert links[0].tolist() == list(range(5))
    permuted = [embeddings[0]]
    for t in range(1, 7):  # permuted[-1] is P[Q^t] of Eq. 2 where t counts from 1
        mean = torch.stack(permuted[:-1]).mean(0) if t > 1 else permuted[0]
        order = best(weight * permuted[-1] + (1 - weight) * mean, embeddings[t])
        assert links[t].tolist() == order
        permuted.append(embeddings[t, order])


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_weights_by_certainty_as_defined(weight):
    torch.manual_seed(2)
    embeddings = torch.randn(7, 5, 3, dtype=torch.float64)
    sure = torch.rand(7, 5, dtype=torch.float64)
    links = memory.link(embeddings, weight, sure)
    permuted, certain = [embeddings[0]], [sure[0, :, None]]
    for t in range(1, 7):
        seen = [w * own for w, own in zip(certain[:-1], permuted[:-1], strict=True)]
        mean = sum(seen) / sum(certain[:-1]) if t > 1 else permuted[0]
        last = weight * certain[-1]
        order = best(last * permuted[-1] + (1 - last) * mean, embeddings[t])
        assert links[t].tolist() == order
        permuted.append(embeddings[t, order])
        certain.append(sure[t, order, None])
    assert not torch.equal(links, memory.link(embeddings, weight)) or weight == 0


def test_where_all_are_sure_it_is_the_papers_and_where_none_is_it_is_the_mean():
    torch.manual_seed(0)
    embeddings = torch.randn(9, 6, 4)
    assert torch.equal(memory.link(embeddings, 0.3, torch.ones(9, 6)), memory.link(embeddings, 0.3))
    none = memory.link(embeddings, 0.3, torch.zeros(9, 6))
    assert torch.equal(none, memory.link(embeddings, 0.0))


def test_a_long_hidden_object_is_remembered_by_how_it_was_seen():
    """Seen once, then nothing is for six frames, as a query is that sees no object."""
    look, other, nothing = torch.eye(3)
    seen = torch.stack([look, other])
    hidden = torch.stack([nothing + 0.1 * look, other])
    back = torch.stack([nothing + 0.2 * look, look])  # the other one is gone: look is the second
    embeddings = torch.stack([seen, *[hidden] * 6, back])
    sure = torch.ones(8, 2)
    sure[1:7, 0] = sure[7, 0] = 0.01
    assert memory.link(embeddings)[-1].tolist() == [0, 1]
    assert memory.link(embeddings, sure=sure)[-1].tolist() == [1, 0]


def test_the_most_literal_reading_of_the_first_frame_is_the_same():
    torch.manual_seed(0)
    embeddings = torch.randn(2, 5, 3)
    nothing = torch.zeros(5, 3)  # an empty mean
    assert memory.link(embeddings)[1].tolist() == best(
        0.5 * embeddings[0] + 0.5 * nothing, embeddings[1]
    )


def test_with_all_weight_on_the_last_frame_it_is_minvis(device, dtype):
    torch.manual_seed(0)
    embeddings = torch.randn(9, 6, 4, device=device, dtype=dtype)
    links = memory.link(embeddings, weight=1.0)
    assert links.dtype == torch.long and links.device == embeddings.device
    assert torch.equal(links, minvis.link(embeddings))
    assert not torch.equal(links, memory.link(embeddings))  # what the memory changes


def test_tracks_outlive_something_that_passes_over_one_and_then_over_the_other():
    embeddings = torch.eye(3)[:2].repeat(8, 1, 1)  # the third channel is of what passes
    embeddings[4, 0] = torch.tensor([0.3, 0.0, 1.0])
    embeddings[5, 1] = torch.tensor([0.0, 0.3, 1.0])
    assert memory.link(embeddings).tolist() == [[0, 1]] * 8
    assert minvis.link(embeddings).tolist() == [[0, 1]] * 5 + [[1, 0]] * 3  # swapped for good


def test_empty_input_gives_an_empty_result_and_bad_input_is_refused():
    assert memory.link(torch.randn(1, 4, 8)).tolist() == [[0, 1, 2, 3]]
    assert memory.link(torch.randn(0, 4, 8)).shape == (0, 4)
    assert memory.link(torch.randn(3, 0, 8)).shape == (3, 0)
    with pytest.raises(ValueError, match="frames, queries, channels"):
        memory.link(torch.randn(4, 8))
    with pytest.raises(ValueError, match=r"sure should be \(2, 4\)"):
        memory.link(torch.randn(2, 4, 8), sure=torch.ones(2, 8))
    with pytest.raises(ValueError, match="from 0 to 1"):
        memory.link(torch.randn(2, 4, 8), weight=1.5)
