"""RandAugment changes colours and moves nothing."""

import pytest
import torch

from posenb.augment.rand_augment import OPERATIONS, Distortions, distort, draw_distortions, rand_augment


def one(name, images, magnitude, sign=1.0, place=0.5):
    """The images with one operation."""
    count = len(images)
    number = list(OPERATIONS).index(name)
    drawn = Distortions(
        torch.full((count, 1), number), torch.full((count, 1), sign), torch.full((count, 1, 2), float(place))
    )
    return distort(images, drawn, magnitude)


@pytest.fixture
def images(generator):
    """Smooth colourful pictures ``(4, 3, 24, 32)`` of 8 bits that do not use the whole range."""
    coarse = torch.rand(4, 3, 3, 4, generator=generator) * 0.7 + 0.1
    smooth = torch.nn.functional.interpolate(coarse, (24, 32), mode="bilinear")
    return (smooth * 255).round() / 255


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("magnitude", [7, 20, 30])
def test_geometry_is_left_alone(name, magnitude, images):
    """What happens to a mirrored picture is the mirror image of what happens to the picture."""
    for axis in (-1, -2):
        changed = one(name, images.flip(axis), magnitude)
        torch.testing.assert_close(changed, one(name, images, magnitude).flip(axis), atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("sharpness", "cutout")])
def test_a_pixel_stays_a_pixel(name, images, generator):
    """Pixels in another order come out the same, in that order: nothing can have moved."""
    order = torch.randperm(24 * 32, generator=generator)
    shuffled = images.flatten(2)[..., order].view_as(images)
    out = one(name, images, 20).flatten(2)[..., order].view_as(images)
    torch.testing.assert_close(one(name, shuffled, 20), out, atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", OPERATIONS)
def test_values_stay_in_range_and_each_operation_does_something(name, images):
    out = one(name, images, 30, sign=-1.0)
    assert out.shape == images.shape and out.min() >= 0 and out.max() <= 1
    assert not torch.allclose(out, images, atol=1e-3)


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n not in ("auto_contrast", "equalize", "invert")])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_larger_magnitude_changes_more_and_none_nothing(name, sign, images):
    changes = [(one(name, images, m, sign) - images).square().mean().item() for m in (0, 8, 16, 30)]
    assert changes[0] < 1e-9 and changes == sorted(changes)


def test_by_hand():
    grey = torch.tensor([0.2, 0.4, 0.6]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    expected = {
        "auto_contrast": [0.0, 0.5, 1.0],
        "equalize": [0.0, 0.5, 1.0],
        "invert": [0.8, 0.6, 0.4],
        "contrast": [0.4 - 0.2 * 1.9, 0.4, 0.4 + 0.2 * 1.9],
        "brightness": [0.2 * 1.9, 0.4 * 1.9, 1.0],
        "colour": [0.2, 0.4, 0.6],
        "posterize": [48 / 255, 96 / 255, 144 / 255],
        "solarize_add": [0.2 + 110 / 255, 0.4 + 110 / 255, 0.6],
    }
    for name, values in expected.items():
        assert one(name, grey, 30)[0, 0, 0].tolist() == pytest.approx(values, abs=1e-5), name
    assert one("solarize", grey, 15)[0, 0, 0].tolist() == pytest.approx([0.2, 0.4, 0.4])


def test_a_constant_picture_survives_what_divides_by_its_range():
    flat = torch.full((1, 3, 8, 8), 0.3)
    for name in ("auto_contrast", "equalize"):
        torch.testing.assert_close(one(name, flat, 20), flat)


def test_operations_follow_each_other_and_each_image_has_its_own(images):
    drawn = draw_distortions(4, torch.Generator().manual_seed(3))
    assert drawn.operation.shape == (4, 2)
    both = distort(images, drawn, 20)
    first, second = (Distortions(*(part[:, k : k + 1] for part in drawn)) for k in (0, 1))
    torch.testing.assert_close(distort(distort(images, first, 20), second, 20), both)
    alone = distort(images[2:3], Distortions(*(part[2:3] for part in drawn)), 20)
    torch.testing.assert_close(alone, both[2:3])


def test_draws_follow_from_the_generator(images):
    one_, same, other = (rand_augment(images, 20, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one_, same) and not torch.equal(one_, other)


@pytest.mark.parametrize("magnitude", [-1, 31])
def test_a_magnitude_out_of_range_is_refused(magnitude, images, generator):
    with pytest.raises(ValueError, match="magnitude must lie in 0 to 30"):
        rand_augment(images, magnitude, generator)
