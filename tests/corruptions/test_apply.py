"""What every corruption has in common: types, ranges, where randomness comes from, errors; and perturb."""

import pytest
import torch

from posenb.corruptions import NAMES, TEST, TRAIN, corrupt, perturb
from posenb.corruptions.severities import TABLES, table_for
from posenb.corruptions.sheet import corruption_sheet
from posenb.errors import UserError
from tests.corruptions.pictures import pictures

DETERMINISTIC = {"brightness", "contrast", "defocus_blur", "zoom_blur", "gaussian_blur", "saturate", "jpeg_compression"}


def seeded(seed=7):
    return torch.Generator().manual_seed(seed)


def test_the_names_are_ten_and_five():
    assert len(TRAIN) == 10 and len(TEST) == 5 and NAMES == TRAIN + TEST
    assert all(set(table) == set(NAMES) for table in TABLES.values())


@pytest.mark.parametrize("name", NAMES)
class TestEach:
    def test_keeps_shape_and_type_and_stays_in_range(self, name):
        images = pictures()
        for severity in range(1, 6):
            out = corrupt(images, name, severity, seeded())
            assert out.shape == images.shape and out.dtype == torch.uint8
            assert not torch.equal(out, images)
            as_floats = corrupt(images.float() / 255, name, severity, seeded())
            assert as_floats.dtype == torch.float32
            assert torch.equal((as_floats * 255).round().to(torch.uint8), out)

    def test_leaves_its_input_alone(self, name):
        images = pictures().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)  # needs no copy to be worked on
        before = images.clone()
        corrupt(images, name, 3, seeded())
        assert torch.equal(images, before)

    def test_follows_from_the_generators_state(self, name):
        images = pictures()
        first, again, other = (corrupt(images, name, 3, seeded(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert torch.equal(first, other) == (name in DETERMINISTIC)

    @pytest.mark.parametrize("side", [32, 64])
    def test_an_image_does_not_depend_on_the_others(self, name, side):
        images = pictures(count=40, height=side, width=side + 3)  # more than are computed at once
        whole = corrupt(images, name, 2, seeded())
        changed = images.clone()
        changed[1::2] = 255 - changed[1::2]
        assert torch.equal(corrupt(changed, name, 2, seeded())[::2], whole[::2])
        assert torch.equal(corrupt(images[:3], name, 2, seeded()), whole[:3])

    def test_equal_images_differ_where_there_is_chance(self, name):
        images = pictures(count=1).expand(2, -1, -1, -1)
        first, second = corrupt(images, name, 3, seeded())
        assert torch.equal(first, second) == (name in DETERMINISTIC)

    def test_the_smallest_images_and_none(self, name):
        for severity in range(1, 6):
            assert corrupt(pictures(height=16, width=16), name, severity, seeded(), 224).shape == (2, 3, 16, 16)
        assert corrupt(pictures()[:0], name, 3, seeded()).shape == (0, 3, 67, 75)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
    def test_a_gpu_gives_what_a_cpu_gives(self, name):
        images = pictures()
        for table in TABLES:
            there = corrupt(images.cuda(), name, 3, seeded(), table)
            assert there.device.type == "cuda"
            assert (there.cpu().int() - corrupt(images, name, 3, seeded(), table).int()).abs().max() <= 1


@pytest.mark.parametrize("name", sorted(DETERMINISTIC | {"glass_blur", "motion_blur"}))
def test_a_uniform_picture_stays_uniform(name):
    """What moves or filters light gives no structure to what has none."""
    out = corrupt(torch.full((1, 3, 64, 64), 90, dtype=torch.uint8), name, 3, seeded())
    assert (out == out[:, :, :1, :1]).all()


def test_an_images_size_chooses_the_table():
    assert [table_for(side, 200) for side in (32, 48, 49, 128, 129, 224)] == [32, 32, 64, 64, 224, 224]
    images = pictures(height=64, width=300)
    chosen = corrupt(images, "contrast", 3, seeded())
    assert torch.equal(chosen, corrupt(images, "contrast", 3, seeded(), 64))
    assert not torch.equal(chosen, corrupt(images, "contrast", 3, seeded(), 32))


def test_half_precision_stays():
    assert corrupt(pictures().half() / 255, "contrast", 1, seeded()).dtype == torch.float16


def test_a_mistake_is_named():
    images = pictures()
    for arguments in (("fog", 3), ("snow", 0), ("snow", 6), ("snow", 3, seeded(), 96)):
        name, severity, *rest = arguments
        with pytest.raises(UserError, match="take"):
            corrupt(images, name, severity, *(rest or [seeded()]))
    for wrong in (images[0], images[:, :1], images[:, :, :15], images.int()):
        with pytest.raises(ValueError, match="images must be"):
            corrupt(wrong, "snow", 3, seeded())
    with pytest.raises(ValueError, match="at least one"):
        perturb(images, [], seeded())


class TestPerturb:
    def test_every_name_and_severity_is_chosen_alike(self):
        """Brightness and contrast on a flat grey picture tell their severity."""
        images = torch.full((4000, 3, 16, 16), 60, dtype=torch.uint8)
        out = perturb(images, ("brightness", "contrast"), seeded(), severities=(1, 3, 5), table=64)
        values, counts = out[:, 0, 0, 0].unique(return_counts=True)
        by_value = dict(zip(values.tolist(), counts.tolist(), strict=True))
        assert set(by_value) == {60, 86, 136, 188}  # 60 + 25.5, half to even; 60 + 76.5; 60 + 127.5
        assert abs(by_value.pop(60) - 2000) < 130
        assert all(abs(count - 2000 / 3) < 90 for count in by_value.values())

    def test_is_what_corrupt_does_for_one_name_and_severity(self):
        """With one choice the images have the statistics of corrupt: here its very result, for what has no chance."""
        images = pictures(count=4)
        wanted = corrupt(images, "zoom_blur", 4, seeded())
        assert torch.equal(perturb(images, ["zoom_blur"], seeded(), severities=[4]), wanted)

    def test_an_image_does_not_depend_on_the_others(self):
        images = pictures(count=24)
        whole = perturb(images, TRAIN, seeded())
        assert torch.equal(perturb(images[:5], TRAIN, seeded()), whole[:5])
        changed = images.clone()
        changed[1::2] = 255 - changed[1::2]
        assert torch.equal(perturb(changed, TRAIN, seeded())[::2], whole[::2])
        assert torch.equal(perturb(images, TRAIN, seeded()), whole)
        assert not torch.equal(perturb(images, TRAIN, seeded(8)), whole)

    def test_floats_stay_floats(self):
        out = perturb(pictures(count=12).float() / 255, NAMES, seeded())
        assert out.dtype == torch.float32 and out.min() >= 0 and out.max() <= 1


def test_the_sheet_has_a_row_each_and_a_column_a_severity():
    image = pictures(count=1, height=64, width=64)[0]
    figure = corruption_sheet(image, seed=3)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [name.replace("_", " ") for name in NAMES]
    shown = axes.images[0].get_array()
    wanted = corrupt(image[None], "snow", 5, seeded(3))[0].permute(1, 2, 0) / 255
    line = 64 + 4
    top, left = NAMES.index("snow") * line, 4 * line
    assert abs(shown[top : top + 64, left : left + 64] - wanted.numpy()).max() < 1e-6
