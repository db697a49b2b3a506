"""The corruptions with randomness: how it is drawn, and its statistics against the tables."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from posenb.corruptions import NAMES, corrupt, draws
from posenb.corruptions.frost import texture
from posenb.corruptions.glass import sources
from posenb.corruptions.severities import TABLES
from tests.corruptions.pictures import flat, pictures


def corrupted(images, name, severity, table, seed=1):
    return corrupt(images, name, severity, torch.Generator().manual_seed(seed), table).double()


class TestDraws:
    def test_normal_numbers_are_normal(self):
        drawn = draws.normal((500, 500), [torch.Generator().manual_seed(0)]).double()
        assert drawn.mean().abs() < 0.01
        assert drawn.var() == pytest.approx(1, abs=0.01)
        assert (drawn**4).mean() == pytest.approx(3, abs=0.06)
        assert (drawn > 1.959964).double().mean() == pytest.approx(0.025, abs=0.001)

    def test_words_fill_their_range_evenly(self):
        drawn = draws.words((400, 401), [torch.Generator().manual_seed(k) for k in range(2)])
        assert drawn.shape == (2, 400, 401) and drawn.min() >= 0 and drawn.max() < 2**16
        share = torch.bincount(drawn.flatten() >> 12, minlength=16) / drawn.numel()
        assert (share - 1 / 16).abs().max() < 0.003
        assert not torch.equal(drawn[0], drawn[1])

    def test_neighbouring_numbers_are_independent(self):
        """Four numbers come from one draw of 64 bits."""
        drawn = draws.normal((2**18,), [torch.Generator().manual_seed(0)])[0]
        for lag in (1, 2, 3, 4):
            assert (drawn[lag:] * drawn[:-lag]).mean().abs() < 0.01


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("severity", [1, 3, 5])
class TestNoise:
    def test_gaussian_noise_has_the_tables_std(self, table, severity):
        std = TABLES[table]["gaussian_noise"][severity - 1]
        noise = (corrupted(flat(128, 8), "gaussian_noise", severity, table) - 128) / 255
        if std < 0.15:  # beyond, much of it is cut off at black and white
            assert noise.mean().abs() < 0.002
            assert noise.std() == pytest.approx(std, rel=0.02)
        else:
            wanted = np.clip(128 / 255 + std * np.random.default_rng(0).normal(size=100_000), 0, 1)
            assert noise.std() == pytest.approx(wanted.std(), rel=0.02)

    def test_speckle_noise_grows_with_the_value(self, table, severity):
        std = TABLES[table]["speckle_noise"][severity - 1]
        for level in (40, 80):
            noise = corrupted(flat(level, 8), "speckle_noise", severity, table) - level
            assert noise.std() == pytest.approx(std * level, rel=0.05)
            assert noise.mean().abs() < 0.02 * level
        assert (corrupted(flat(0), "speckle_noise", severity, table) == 0).all()

    def test_shot_noise_keeps_mean_and_has_poissons_variance(self, table, severity):
        rate = TABLES[table]["shot_noise"][severity - 1]
        for level in (5, 60, 120) if rate > 10 else (5, 40):
            out = corrupted(flat(level, 16), "shot_noise", severity, table)
            # counts of rate and more are cut off at white: rare at these levels
            assert abs(out.mean() - level) < 0.5
            counts = np.random.default_rng(0).poisson(level / 255 * rate, 10**6)
            wanted = np.rint(np.clip(counts / rate, 0, 1) * 255)
            assert out.mean() == pytest.approx(wanted.mean(), abs=0.02 * wanted.std())
            assert out.var() == pytest.approx(wanted.var(), rel=0.03)
            assert wanted.var() == pytest.approx(level * 255 / rate, rel=0.25)
        assert (corrupted(flat(0), "shot_noise", severity, table) == 0).all()


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "speckle_noise"])
def test_noise_of_channels_pixels_and_images_is_independent(name):
    noise = corrupted(flat(110, 2, 128), name, 2, 64) - 110
    noise /= noise.std()
    for other in (noise.flip(0), noise.roll(1, 1), noise.roll(1, 2), noise.roll(1, 3)):
        assert (noise * other).mean().abs() < 0.02


@pytest.mark.parametrize("reach, rounds", [(1, 2), (2, 3), (3, 2), (4, 2)])
def test_glass_moves_what_the_published_loop_moves(reach, rounds):
    height, width = 22, 27
    drawn = np.random.default_rng(0).integers(0, 2**16, (2, rounds, height, width), dtype=np.int32)
    source = sources(drawn, reach)
    for number in range(2):
        x = np.random.default_rng(1).integers(0, 256, (height, width, 3))
        before = x.copy()
        for of_round in drawn[number]:
            for h in range(height - reach, reach, -1):
                for w in range(width - reach, reach, -1):
                    down, right = divmod(int(of_round[h, w]) * (2 * reach) ** 2 // 2**16, 2 * reach)
                    p, q = (h, w), (h + down - reach, w + right - reach)
                    x[p], x[q] = x[q], x[p]  # as published: views, so this copies
        indices = source[number].ravel() - number * height * width
        assert (before.reshape(-1, 3)[indices].reshape(x.shape) == x).all()


def test_glass_offsets_are_uniform():
    """One round with reach 1 has no chains: each pixel comes from one of four neighbours, itself among them."""
    drawn = draws.words((1, 200, 200), [torch.Generator().manual_seed(0)]).numpy()
    moved = (sources(drawn, 1) - np.arange(200 * 200).reshape(1, 200, 200))[0, 2:200, 2:200]
    values, counts = np.unique(moved, return_counts=True)
    assert values.tolist() == [-201, -200, -1, 0]
    assert np.abs(counts / counts.sum() - 0.25).max() < 0.015


def test_motion_blur_turns_for_each_image():
    point = torch.zeros(40, 3, 65, 65, dtype=torch.uint8)
    point[:, :, 32, 32] = 255
    out = corrupted(point, "motion_blur", 3, 224)[:, 0]
    place = torch.arange(65.0, dtype=torch.float64) - 32
    mass = out.sum((1, 2))
    x, y = (out * place).sum((1, 2)) / mass, (out * place[:, None]).sum((1, 2)) / mass
    angles = torch.rad2deg(torch.atan2(y, x))
    # light goes to the left, up or down by 45 degrees at most
    turned = (angles + 360) % 360 - 180
    assert turned.abs().max() < 46 and turned.std() > 15
    assert torch.hypot(x, y).std() < 1


class TestWeather:
    def test_snow_is_white_streaks_towards_the_ground(self):
        out = corrupted(flat(40, 8, 128), "snow", 2, 224)
        assert (out[:, 0] == out[:, 1]).all() and (out[:, 0] == out[:, 2]).all()
        down, across = (out.diff(dim=axis).abs().mean() for axis in (2, 3))
        assert across > 1.5 * down
        assert out.max() > 250 and out.min() >= 40

    def test_snow_falls_twice_the_second_time_turned_round(self):
        out = corrupted(flat(0, 2), "snow", 2, 64)
        assert (out == out.rot90(2, (2, 3))).all()

    @pytest.mark.parametrize("severity, colour", [(1, (175, 238, 238)), (5, (63, 42, 20))])
    def test_spatter_has_waters_or_muds_colour(self, severity, colour):
        clean = flat(0 if severity == 1 else 250, 4)
        out = corrupted(clean, "spatter", severity, 64)
        changed = (out != clean).any(dim=1)
        assert 0.005 < changed.double().mean() < 0.5
        spots = out.permute(0, 2, 3, 1)[changed]
        strongest = spots[spots[:, 2].argmax() if severity == 1 else spots[:, 2].argmin()]
        wanted = torch.tensor(colour, dtype=torch.float64)
        if severity == 1:  # light of that colour is added
            assert ((strongest / strongest[2]) - wanted / wanted[2]).abs().max() < 0.02
        else:
            assert (strongest - wanted).abs().max() <= 25

    @pytest.mark.parametrize("size", [(32, 32), (64, 64), (120, 90), (256, 256)])
    def test_frost_is_a_pale_structured_pane(self, size):
        panes = np.stack([texture(*size, torch.Generator().manual_seed(k)) for k in range(4)]).astype(float)
        assert panes.shape == (4, *size, 3)
        assert 90 < panes.mean() < 190 and panes.std() > 25
        red, green, blue = panes.mean(axis=(0, 1, 2))
        assert red < green < blue
        assert all(np.abs(panes[0] - other).mean() > 10 for other in panes[1:])

    def test_frost_blends_with_the_tables_weights(self):
        """On black the pane is seen alone, on a grey floor the picture's share is added."""
        dark = corrupted(flat(0, 2), "frost", 3, 64)
        grey = corrupted(flat(60, 2), "frost", 3, 64)
        below = grey < 255
        assert ((grey - dark)[below] - 0.8 * 60).abs().max() <= 1
        assert dark.max() <= 0.45 * 255 + 1


@pytest.mark.parametrize(
    "name",
    sorted(set(NAMES) - {"saturate", "snow", "frost", "glass_blur", "spatter"}),
)
@pytest.mark.parametrize("table", TABLES)
def test_changes_more_with_severity(name, table):
    """Not saturate and snow, whose published severities are not in order, nor what depends much on the draw."""
    images = pictures(count=6)
    changes = [(corrupted(images, name, severity, table) - images).square().mean() for severity in range(1, 6)]
    # two published settings of motion blur differ in taps of no weight alone
    assert all(after >= before for before, after in pairwise(changes))
    assert changes[4] > 1.2 * changes[0] > 0
