"""Occlusion: votes of joints, and masks of bridges."""

import pytest
import torch
import torch.nn.functional as F

from posenb.augment import cell_counts, masks

SIZES = [(32, 32), (16, 16), (8, 8), (4, 4)]


def hidden(mask):
    return 1 - mask.mean(dim=(1, 2, 3))


def test_joints_vote_for_the_cell_in_which_they_lie():
    points = torch.tensor(
        [[[0.0, 0.0], [15.9, 0.0], [16.0, 31.9], [63.9, 63.9]], [[40.0, 20.0], [1, 1], [70, 9], [-1, 9]]]
    )
    visible = torch.tensor([[True] * 4, [True, False, True, True]])
    expected = torch.zeros(4, 4)
    expected[0, 0], expected[1, 1], expected[3, 3], expected[1, 2] = 2, 1, 1, 1
    assert torch.equal(cell_counts(points, visible, (64, 64), (4, 4)), expected)


def test_votes_of_a_wide_image_and_grid():
    points = torch.tensor([[[95.0, 20.0], [5.0, 40.0]]])
    found = cell_counts(points, torch.ones(1, 2).bool(), (64, 96), (2, 3))
    assert found.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("side", [56, 64, 112, 120, 224, 240])
def test_the_last_point_within_the_border_counts_in_the_last_cell(side):
    last = torch.nextafter(torch.tensor(float(side)), torch.tensor(0.0)).expand(1, 1, 2)
    found = cell_counts(last, torch.ones(1, 1).bool(), (side, side), (4, 4))
    assert found.nonzero().tolist() == [[3, 3]]


def test_points_without_a_label_may_be_nan():
    found = cell_counts(torch.full((1, 1, 2), float("nan")), torch.zeros(1, 1).bool(), (8, 8), (2, 2))
    assert not found.any()


@pytest.mark.parametrize("place", ["up", "pixels"])
def test_scaled_up_the_same_part_is_hidden_everywhere(place):
    cells = torch.tensor([[0, 5], [15, 3]])
    found = masks(cells, (4, 4), SIZES, place)
    lowest = found[-1]
    assert [(row == 0).flatten().nonzero()[:, 0].tolist() for row in lowest] == [[0, 5], [3, 15]]
    for mask, size in zip(found, SIZES, strict=True):
        assert mask.shape == (2, 1, *size)
        assert torch.equal(mask, F.interpolate(lowest, size=size))
        assert hidden(mask).tolist() == [0.125, 0.125]


def test_independent_bridges_have_their_own_cells(generator):
    cells = torch.stack([torch.randperm(16, generator=generator)[:2] for _ in range(4)])[None]
    found = masks(cells, (4, 4), SIZES, "independent")
    for k, mask in enumerate(found):
        assert torch.equal(mask, masks(cells[:, k], (4, 4), SIZES, "up")[k])


class TestScaledDown:
    def test_a_part_that_is_hidden_hides_the_whole(self, generator):
        cells = torch.randint(0, 16, (50, 1), generator=generator)
        found = masks(cells, (4, 4), SIZES, "down", torch.rand(50, 1, 2, generator=generator))
        for mask, size in zip(found[1:], SIZES[1:], strict=True):
            block = 32 // size[0]
            blocks = found[0].unfold(2, block, block).unfold(3, block, block)
            assert torch.equal(mask, blocks.amin(dim=(-2, -1)))

    def test_more_is_hidden_the_lower_the_resolution(self, generator):
        cells = torch.randint(0, 16, (200, 1), generator=generator)
        found = masks(cells, (4, 4), SIZES, "down", torch.rand(200, 1, 2, generator=generator))
        shares = [hidden(mask).mean().item() for mask in found]
        assert shares == sorted(shares)
        assert (hidden(found[0]) == 1 / 16).all()  # a whole square, also at the border
        assert shares[-1] > 2 / 16

    def test_a_square_that_is_not_moved_is_its_cell(self):
        cells = torch.arange(16)[:, None]
        unmoved = masks(cells, (4, 4), SIZES, "down", torch.full((16, 1, 2), 0.5))
        assert all(torch.equal(a, b) for a, b in zip(unmoved, masks(cells, (4, 4), SIZES), strict=True))

    def test_it_moves_down_and_right(self):
        moved = masks(torch.tensor([[5]]), (4, 4), [(32, 32)], "down", torch.tensor([[[0.75, 0.5]]]))[0][0, 0]
        rows, columns = (moved == 0).nonzero().T
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 17, 8, 15)


def test_what_is_wrong_is_said():
    cells = torch.tensor([[0]])
    with pytest.raises(ValueError, match="place must be one of up, down, independent, pixels, not 'left'"):
        masks(cells, (4, 4), SIZES, "left")
    with pytest.raises(ValueError, match="needs offsets"):
        masks(cells, (4, 4), SIZES, "down")
