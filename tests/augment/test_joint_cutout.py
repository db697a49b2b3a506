"""Joint Cutout covers the joints that it names, and nothing that is far from them."""

import pytest
import torch

from posenb.augment.joint_cutout import HALF, JITTER, Patches, cover, covered, draw_patches, joint_cutout


def still_patches(rank, m, half=0.0):
    """Patches right on their joints, of the smallest size."""
    count = len(rank)
    return Patches(rank, torch.zeros(count, m, 2), torch.full((count, m, 2), half))


def test_the_m_joints_of_the_highest_rank_are_covered(generator):
    points = torch.tensor([[[8.0, 8.0], [50.0, 10.0], [30.0, 52.0], [10.0, 50.0]]]).repeat(6, 1, 1)
    rank = torch.rand(6, 4, generator=generator)
    hidden = covered(points, (64, 64), still_patches(rank, 2))[:, 0]
    for row in range(6):
        chosen = set(rank[row].topk(2).indices.tolist())
        for joint, (x, y) in enumerate(points[row].tolist()):
            assert hidden[row, int(y), int(x)].item() == (joint in chosen)


@pytest.mark.parametrize("half, side", [(0.0, 10), (1.0, 20)])
def test_patches_have_the_released_codes_size(half, side):
    """20 to 40 pixels of 256, on an image of half that size."""
    hidden = covered(torch.full((1, 1, 2), 64.0), (128, 128), still_patches(torch.ones(1, 1), 1, half))
    assert hidden.sum() == side**2
    assert HALF == (10, 20) and JITTER == 10


def test_covered_pixels_have_the_mean_colour_and_the_others_stay(generator):
    images = torch.rand(2, 3, 64, 48, generator=generator)
    points = torch.rand(2, 5, 2, generator=generator) * 48
    patches = draw_patches(2, 5, 3, generator)
    hidden = covered(points, (64, 48), patches).expand_as(images)
    out = cover(images, points, patches)
    mean = images.mean(dim=(-2, -1), keepdim=True).expand_as(images)
    assert 0 < hidden.float().mean() < 0.5
    assert torch.equal(out[hidden], mean[hidden]) and torch.equal(out[~hidden], images[~hidden])


def test_none_is_covered_with_m_0(generator):
    images = torch.rand(2, 3, 32, 32, generator=generator)
    assert torch.equal(joint_cutout(images, torch.rand(2, 5, 2) * 32, 0, generator), images)


def test_draws_follow_from_the_generator(generator):
    images, points = torch.rand(3, 3, 32, 32, generator=generator), torch.rand(3, 5, 2, generator=generator) * 32
    one, same, other = (joint_cutout(images, points, 2, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize("m", [-1, 6])
def test_more_joints_than_there_are_is_refused(m, generator):
    with pytest.raises(ValueError, match="m must be from 0 to the 5 joints"):
        joint_cutout(torch.rand(1, 3, 32, 32), torch.rand(1, 5, 2), m, generator)
