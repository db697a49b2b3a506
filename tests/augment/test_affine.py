"""Augmentation: what is drawn, and that pictures and labels stay together."""

from dataclasses import fields, replace

import pytest
import torch
from torch.testing import assert_close

from posenb.augment import NONE, Draw, Family, affine, apply, center, draw, matrices, still
from posenb.data.dataset import Batch, PoseDataset
from posenb.geometry import warp
from posenb.skeletons import COCO17, LSP14, MPII16

GREY = 0.5
# 26 colours that no mixing with grey makes alike
COLOURS = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3)
COLOURS = COLOURS[(COLOURS != GREY).any(dim=-1)]


def tensors(drawn):
    return [getattr(drawn, field.name) for field in fields(Draw)]


def dots(skeleton, count, generator, size=(120, 96), radius=3.5):
    """Stored images of a grey world with a dot of its own colour about every joint, joints well apart."""
    height, width = size
    joints = len(skeleton)
    cells = torch.cartesian_prod(torch.arange(5.0) + 0.5, torch.arange(4.0) + 0.5)  # rows, columns
    chosen = torch.stack([torch.randperm(20, generator=generator)[:joints] for _ in range(count)])
    inner = torch.tensor([width, height]) - 24
    points = cells[chosen].flip(-1) / torch.tensor([4, 5]) * inner + 12
    points += (torch.rand(points.shape, generator=generator) - 0.5) * 6
    y, x = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    near = (x - points[..., 0, None, None]) ** 2 + (y[:, None] - points[..., 1, None, None]) ** 2 <= radius**2
    images = torch.full((count, 3, height, width), GREY)
    for k in range(joints):
        images = torch.where(near[:, k, None], COLOURS[k][:, None, None], images)
    ones = torch.ones(count, joints, dtype=torch.bool)
    return Batch((images * 255).round().to(torch.uint8), points, ones, ~ones)


def seen(sample):
    """Colours ``(B, K, 3)`` of the pixels in which a sample's joints lie; those outside read the nearest one."""
    height, width = sample.images.shape[-2:]
    x = sample.points[..., 0].floor().clamp(0, width - 1).long()
    y = sample.points[..., 1].floor().clamp(0, height - 1).long()
    return sample.images.permute(0, 2, 3, 1)[torch.arange(len(x))[:, None], y, x]


def named(colours):
    """Which of the colours each is nearest to, and how far away that is."""
    return (colours[..., None, :] - COLOURS).norm(dim=-1).min(dim=-1)


class TestDraw:
    def test_follows_from_the_generators_seed(self):
        first, again, other = (draw(8, Family(shift=0.1), torch.Generator().manual_seed(s)) for s in (3, 3, 4))
        assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(again), strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(tensors(first)[:3], tensors(other)[:3], strict=True))

    def test_leaves_the_global_generator_alone(self, generator):
        before = torch.get_rng_state()
        draw(8, Family(), generator)
        assert torch.equal(torch.get_rng_state(), before)

    def test_distributions(self, generator):
        count = 20_000
        drawn = draw(count, Family(rotation=30, rotation_rate=0.6, scale=0.25, shift=0.1, flip=0.3), generator)
        rate = 5 * (0.25 / count) ** 0.5  # five standard deviations of a share
        turned = drawn.angle != 0
        assert turned.float().mean() == pytest.approx(0.6, abs=rate)
        assert drawn.flip.float().mean() == pytest.approx(0.3, abs=rate)
        # clipped to twice the standard deviation: 4.55 % lie on the bounds, and the spread is .964 of it
        for values, std in ((drawn.angle[turned], 30), (drawn.scale.log2(), 0.25)):
            assert values.abs().max() == pytest.approx(2 * std)
            assert (values.abs() > 2 * std * (1 - 1e-5)).float().mean() == pytest.approx(0.0455, abs=0.01)
            assert values.mean() == pytest.approx(0, abs=std * 0.05)
            assert values.std() == pytest.approx(0.959 * std, rel=0.02)
        for values, low, high in ((drawn.shift, -0.1, 0.1), (drawn.gain, 0.6, 1.4)):
            assert low <= values.min() < low + 1e-3 and high - 1e-3 < values.max() <= high + 1e-6
            assert values.std() == pytest.approx((high - low) / 12**0.5, rel=0.02)

    def test_channels_and_axes_are_drawn_apart(self, generator):
        drawn = draw(2000, Family(shift=0.1), generator)
        for values in (drawn.gain.T, drawn.shift.T, torch.stack([drawn.angle, drawn.scale])):
            correlation = torch.corrcoef(values) - torch.eye(len(values))
            assert correlation.abs().max() < 0.12

    def test_a_family_of_nothing_is_still(self, generator):
        assert all(torch.equal(a, b) for a, b in zip(tensors(draw(5, NONE, generator)), tensors(still(5)), strict=True))

    @pytest.mark.parametrize("index", [slice(2, 5), torch.tensor([4, 0])], ids=["slice", "index"])
    def test_some_of_a_draw(self, index, generator):
        drawn = draw(6, Family(shift=0.1), generator)
        for part, whole in zip(tensors(drawn[index]), tensors(drawn), strict=True):
            assert torch.equal(part, whole[index])


class TestMatrices:
    def test_still_moves_centre_to_centre(self):
        matrix = matrices(still(1), (80, 100), (64, 48))
        assert_close(matrix[0], torch.tensor([[1.0, 0, (48 - 100) / 2], [0, 1, (64 - 80) / 2], [0, 0, 1]]))

    def test_shift_is_a_fraction_of_the_inputs_sides(self):
        drawn = replace(still(1), shift=torch.tensor([[0.25, -0.5]]))
        assert_close(matrices(drawn, (64, 48), (64, 48))[0, :2, 2], torch.tensor([12.0, -32.0]))

    def test_the_middle_stays_in_the_middle_without_shift(self, generator):
        matrix = matrices(draw(50, Family(rotation=90, scale=0.5), generator), (80, 100), (64, 48))
        middle = matrix @ torch.tensor([50.0, 40.0, 1.0])
        assert_close(middle, torch.tensor([24.0, 32.0, 1.0]).expand(50, 3), rtol=0, atol=1e-4)


class TestApply:
    @pytest.mark.parametrize("skeleton", [LSP14, MPII16, COCO17], ids=lambda s: s.name)
    @pytest.mark.parametrize("margin", [0, 12])
    def test_every_named_joint_lies_on_its_own_dot(self, skeleton, margin, generator):
        """Picture and label, end to end: the colour under a joint tells which joint was there before."""
        count = 40
        batch = dots(skeleton, count, generator)
        family = Family(rotation=90, scale=0.25, shift=0.1, flip=0.5, colour=0)
        drawn = draw(count, family, generator)
        sample = apply(batch, drawn, (120 - 2 * margin, 96 - 2 * margin), skeleton)
        # in a mirrored picture of a person, what was the left hand is seen as the right one
        names = torch.where(drawn.flip[:, None], torch.tensor(skeleton.flip), torch.arange(len(skeleton)))
        distance, found = named(seen(sample))
        assert sample.visible.float().mean() > 0.3 and drawn.flip.any() and not drawn.flip.all()
        assert torch.equal(found[sample.visible], names[sample.visible])
        assert distance[sample.visible].max() < 0.1

    def test_the_dots_are_found_before_augmentation_and_no_others(self, generator):
        # that the test above can fail: read a pixel elsewhere, or without swapping names
        batch = dots(LSP14, 8, generator)
        sample = apply(batch, still(8), (120, 96), LSP14)
        assert torch.equal(named(seen(sample))[1], torch.arange(14).expand(8, 14))
        aside = sample._replace(points=sample.points + 6)
        assert named(seen(aside))[0].min() > 0.1

    def test_still_is_the_sample_proper(self, generator):
        images = torch.randint(0, 256, (3, 3, 48, 40), generator=generator, dtype=torch.uint8)
        points = torch.rand(3, 14, 2, generator=generator) * 20 + 10
        ones = torch.ones(3, 14, dtype=torch.bool)
        lengths = torch.ones(3)
        data = PoseDataset(images, points, ones, ~ones, lengths, lengths, LSP14, "noise", margin=5)
        sample = apply(data.batch(torch.arange(3)), still(3), data.size, LSP14)
        assert sample.images.dtype == torch.float32
        assert_close(sample.images, center(images, data.size), rtol=0, atol=1e-6)
        assert_close(sample.images, data.cropped().images / 255, rtol=0, atol=1e-6)
        assert_close(sample.points, data.cropped().points)
        assert sample.visible.all()

    def test_a_margin_turns_real_surroundings_into_view(self):
        # black sample, white margin: turned by 45 degrees the corners show what is there, not the sample's edge
        images = torch.full((1, 3, 48, 48), 255, dtype=torch.uint8)
        images[..., 8:40, 8:40] = 0
        batch = Batch(images, torch.full((1, 14, 2), 24.0), torch.ones(1, 14).bool(), torch.zeros(1, 14).bool())
        drawn = replace(still(1), angle=torch.tensor([45.0]))
        turned = apply(batch, drawn, (32, 32), LSP14).images
        assert (turned[..., [0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()
        assert (turned[..., 16, 16] == 0).all()
        bare = apply(batch._replace(images=images[..., 8:40, 8:40]), drawn, (32, 32), LSP14).images
        assert not bare.any()

    def test_joints_that_leave_the_view_are_not_visible(self):
        points = torch.tensor([[[0.0, 0.0], [32.0, 24.0], [10.0, 12.0], [31.0, 12.0], [8.0, 30.0]]])
        points = torch.cat([points, torch.full((1, 9, 2), float("nan"))], dim=1)
        visible = torch.tensor([[True] * 5 + [False] * 9])
        batch = Batch(torch.zeros(1, 3, 24, 32, dtype=torch.uint8), points, visible, ~visible)
        sample = apply(batch, still(1), (24, 32), LSP14)
        assert sample.visible[0, :5].tolist() == [True, True, True, True, False]  # the borders belong to the view
        assert not sample.visible[0, 5:].any()
        moved = apply(batch, replace(still(1), shift=torch.tensor([[0.25, 0.0]])), (24, 32), LSP14)  # by 8 pixels
        assert moved.visible[0, :5].tolist() == [True, False, True, False, False]

    def test_what_has_no_label_has_none_afterwards_under_its_new_name(self, generator):
        batch = dots(LSP14, 2, generator)
        visible = batch.visible.clone()
        visible[:, LSP14.index("left_wrist")[0]] = False
        drawn = replace(still(2), flip=torch.tensor([False, True]))
        sample = apply(batch._replace(visible=visible), drawn, (120, 96), LSP14)
        missing = [[LSP14.joints[k] for k in (~row).nonzero()] for row in sample.visible]
        assert missing == [["left_wrist"], ["right_wrist"]]

    def test_colour_multiplies_each_channel_and_clips(self):
        images = torch.tensor([51, 102, 204], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 8, 8).contiguous()
        batch = Batch(images, torch.full((2, 14, 2), 4.0), torch.ones(2, 14).bool(), torch.zeros(2, 14).bool())
        gain = torch.tensor([[1.0, 0.5, 1.4], [2.0, 1.0, 1.0]])
        sample = apply(batch, replace(still(2), gain=gain), (8, 8), LSP14)
        assert_close(sample.images[:, :, 3, 5], torch.tensor([[0.2, 0.2, 1.0], [0.4, 0.4, 0.8]]))
        assert (sample.images == sample.images[..., :1, :1]).all()

    def test_a_batch_in_parts_is_the_batch(self, generator):
        batch = dots(LSP14, 7, generator)
        drawn = draw(7, Family(shift=0.1), generator)
        whole = apply(batch, drawn, (96, 96), LSP14)
        for part in (slice(0, 3), slice(3, 7)):
            some = apply(Batch(*(field[part] for field in batch)), drawn[part], (96, 96), LSP14)
            assert torch.equal(some.images, whole.images[part])
            assert torch.equal(some.points, whole.points[part])
            assert torch.equal(some.visible, whole.visible[part])

    def test_the_stored_batch_is_left_as_it_was(self, generator):
        batch = dots(LSP14, 3, generator)
        before = [field.clone() for field in batch]
        apply(batch, draw(3, Family(), generator), (96, 96), LSP14)
        assert all(torch.equal(a, b) for a, b in zip(batch, before, strict=True))

    def test_bytes_and_floats_are_warped_alike(self, generator, monkeypatch):
        # what a GPU does (floats) and what a CPU does (bytes) differ by rounding alone
        batch = dots(LSP14, 4, generator)
        drawn = draw(4, Family(), generator)
        quick = apply(batch, drawn, (96, 96), LSP14).images
        monkeypatch.setattr(affine, "_unit", lambda images, *rest: warp(images.float(), *rest).div_(255))
        assert (apply(batch, drawn, (96, 96), LSP14).images - quick).abs().max() <= 1.4 / 255


def test_an_image_that_is_smaller_has_no_middle():
    with pytest.raises(ValueError, match="64 x 48 have no middle of 64 x 50"):
        center(torch.zeros(1, 3, 64, 48, dtype=torch.uint8), (64, 50))


def test_center_takes_the_middle_as_floats():
    images = torch.arange(6 * 8, dtype=torch.uint8).view(1, 1, 6, 8).expand(1, 3, 6, 8)
    middle = center(images, (2, 4))
    assert_close(middle[0, 1] * 255, torch.tensor([[18.0, 19, 20, 21], [26, 27, 28, 29]]))
