"""Maps carried from one view of an image to another."""

import pytest
import torch

from posenb import augment
from posenb.geometry import transform_points
from posenb.heatmaps import gaussian
from posenb.skeletons import LSP14

STORED, SIZE, STRIDE = (96, 96), (64, 64), 2
FAMILY = augment.Family(rotation=60, scale=0.2, shift=0.05)


@pytest.fixture
def pair(generator):
    """Two draws for 12 images."""
    return augment.draw(12, FAMILY, generator), augment.draw(12, FAMILY, generator)


def test_maps_of_warped_points_are_warped_maps(pair, generator):
    first, second = pair
    matrix = augment.between(first, second, STORED, SIZE)
    mirrored = first.flip != second.flip
    assert mirrored.any() and not mirrored.all()
    points = torch.rand(12, 14, 2, generator=generator) * 24 + 20  # in the middle, so that they stay in view
    there = transform_points(points, matrix)
    there = torch.where(mirrored[:, None, None], there[:, list(LSP14.flip)], there)
    sigma = 3.0
    moved = augment.warp_maps(gaussian(points, (32, 32), STRIDE, sigma), matrix, STRIDE, mirrored, LSP14.flip)
    # a Gaussian grows with its view
    grown = sigma * second.scale / first.scale
    expected = torch.stack(
        [gaussian(p[None], (32, 32), STRIDE, s)[0] for p, s in zip(there, grown.tolist(), strict=True)]
    )
    known = augment.seen(matrix, STRIDE, (32, 32)).expand_as(moved)
    assert known.float().mean() > 0.5
    assert (moved - expected)[known].abs().max() < 0.04


def test_there_and_back_is_the_same(pair):
    first, second = pair
    there, back = (augment.between(*views, STORED, SIZE) for views in ((first, second), (second, first)))
    torch.testing.assert_close(back @ there, torch.eye(3).expand(12, 3, 3), atol=1e-4, rtol=0)


def test_the_view_of_itself_is_the_same(pair, generator):
    first, _ = pair
    maps = torch.rand(12, 14, 32, 32, generator=generator)
    moved = augment.warp_maps(maps, augment.between(first, first, STORED, SIZE), STRIDE)
    torch.testing.assert_close(moved, maps, atol=1e-4, rtol=0)


def test_what_the_first_view_does_not_show_is_empty_and_known_to_be(pair):
    first, second = augment.still(1), augment.still(1)
    second.shift[:] = torch.tensor([0.25, 0.0])  # 16 pixels to the right: 8 columns of the map
    matrix = augment.between(first, second, STORED, SIZE)
    moved = augment.warp_maps(torch.ones(1, 1, 32, 32), matrix, STRIDE)
    known = augment.seen(matrix, STRIDE, (32, 32))
    assert known[..., 8:].all() and not known[..., :8].any()
    assert moved[..., 8:].min() > 0.99 and moved[..., :8].max() == 0


def test_joints_are_renamed_where_one_view_is_a_mirror_image():
    plain, mirrored = augment.still(1), augment.still(1)
    mirrored.flip[:] = True
    left, right = LSP14.index("left_wrist", "right_wrist")
    maps = torch.zeros(1, 14, 32, 32)
    maps[0, left, 10, 4] = 1
    matrix = augment.between(plain, mirrored, STORED, SIZE)
    moved = augment.warp_maps(maps, matrix, STRIDE, mirrored.flip, LSP14.flip)
    assert moved[0, right, 10, 27] == pytest.approx(1, abs=1e-4) and moved[0, left].max() < 1e-4
