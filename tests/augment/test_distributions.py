"""Distributions over augmentations: bins, draws, reward and penalty, the loss, the sweep."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from posenb import augment
from posenb.augment import ROTATIONS, SCALES, Bins, divergence, normalize, penalize, reward, sample


def distribution(k, seed, sharpness=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(1, k, generator=generator) * sharpness).softmax(dim=-1)


cases = st.tuples(st.integers(2, 16), st.integers(0, 10_000), st.floats(0, 8), st.floats(0.01, 1))


class TestBins:
    def test_centres_are_the_designs(self):
        assert ROTATIONS.centres == (-60, -45, -30, -15, 0, 15, 30, 45, 60)
        enlargements = [2**centre for centre in SCALES.centres]
        assert enlargements == pytest.approx([0.660, 0.758, 0.871, 1, 1.149, 1.320, 1.516], abs=5e-4)
        assert (len(SCALES), len(ROTATIONS)) == (7, 9)
        assert (SCALES.std, ROTATIONS.std, SCALES.bound) == (0.05, 5, 1)

    @pytest.mark.parametrize("bound", [1.0, 2.0])
    def test_values_are_gaussian_about_the_centre_and_clipped(self, bound, generator):
        bins = Bins((-10.0, 20.0), std=3.0, bound=bound)
        index = torch.arange(2).repeat(20_000)
        away = bins.values(index, torch.randn(40_000, generator=generator)) - torch.tensor(bins.centres)[index]
        assert away.abs().max() == pytest.approx(3 * bound)
        at_bounds = (away.abs() > 3 * bound * (1 - 1e-6)).float().mean().item()
        assert at_bounds == pytest.approx({1.0: 0.3173, 2.0: 0.0455}[bound], abs=0.01)
        assert away.mean().item() == pytest.approx(0, abs=0.1)

    def test_without_spread_they_are_the_centres(self, generator):
        index = torch.tensor([[1, 0], [0, 1]])
        values = Bins((-10.0, 20.0), std=0).values(index, torch.randn(2, 2, generator=generator))
        assert values.tolist() == [[20, -10], [-10, 20]]


class TestSample:
    def test_frequencies_are_the_probabilities(self, generator):
        p = torch.tensor([0.5, 0.3, 0.15, 0.05])
        drawn = sample(p.expand(40_000, 4), torch.rand(40_000, 4, generator=generator))[:, 0]
        shares = torch.bincount(drawn, minlength=4) / 40_000
        assert_close(shares, p, rtol=0, atol=0.0125)  # five standard deviations of a share of a half

    def test_pairs_are_drawn_one_after_the_other_without_putting_back(self, generator):
        p = torch.tensor([0.6, 0.3, 0.1])
        pairs = sample(p.expand(40_000, 3), torch.rand(40_000, 3, generator=generator), 2)
        for i in range(3):
            for j in range(3):
                share = ((pairs[:, 0] == i) & (pairs[:, 1] == j)).float().mean().item()
                expected = 0 if i == j else (p[i] * p[j] / (1 - p[i])).item()
                assert share == pytest.approx(expected, abs=0.0125)

    def test_what_has_no_probability_comes_last(self, generator):
        p = torch.tensor([0.0, 0.5, 0.0, 0.5])
        drawn = sample(p.expand(500, 4), torch.rand(500, 4, generator=generator), 3)
        assert (drawn[:, :2] % 2 == 1).all() and (drawn[:, 2] % 2 == 0).all()
        zeros = sample(p[None], torch.zeros(1, 4), 2)  # a uniform number can be 0
        assert sorted(zeros[0].tolist()) == [1, 3]


class TestRewardAndPenalty:
    def test_by_hand(self):
        p = torch.tensor([[0.5, 0.3, 0.2]])
        assert_close(reward(p, torch.tensor([0]), 0.2), torch.tensor([[0.6, 0.25, 0.15]]))
        assert_close(penalize(p, torch.tensor([0]), 0.5), torch.tensor([[0.25, 0.425, 0.325]]))

    def test_each_row_has_its_own(self):
        p = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
        found = reward(p, torch.tensor([1, 2]), 0.5)
        assert_close(found, torch.tensor([[0.425, 0.45, 0.125], [0.05, 0.05, 0.9]]))

    def test_several_cells_by_hand(self):
        p = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
        # .08 and .06 gained, .07 paid by each of the others
        assert_close(reward(p, torch.tensor([[0, 1]]), 0.2), torch.tensor([[0.48, 0.36, 0.13, 0.03]]))
        assert_close(penalize(p, torch.tensor([[1, 0]]), 0.5), torch.tensor([[0.2, 0.15, 0.375, 0.275]]))
        assert_close(reward(p, torch.tensor([[0, 0]]), 0.2), reward(p, torch.tensor([0]), 0.2))
        assert_close(reward(p, torch.tensor([[0, 1, 2, 3]]), 0.2), p)  # nobody is left to pay

    def test_the_printed_penalty_loses_probability(self):
        p, i, beta = torch.tensor([0.5, 0.3, 0.2]), 0, 0.5
        printed = p - beta * p[i] / 2
        printed[i] = p[i] - beta * p[i]
        assert printed.sum().item() == pytest.approx(1 - 2 * beta * 0.5)
        ours = penalize(p[None], torch.tensor([i]), beta)[0]
        assert ours.sum().item() == pytest.approx(1)
        assert_close(ours - printed, torch.tensor([0.0, beta * 0.5, beta * 0.5]))  # 2 beta P_i / (k - 1) each

    def test_what_would_be_negative_is_paid_by_the_rest(self):
        p = torch.tensor([[0.5, 0.5, 0, 0], [0.9, 0.1, 0, 0]])
        # eq. (3) gives .65, .45, -.05, -.05: the nearest distribution takes .05 more from the first two
        found = reward(p, torch.tensor([0, 0]), torch.tensor(0.3).item())
        assert_close(found, torch.tensor([[0.6, 0.4, 0, 0], [1, 0, 0, 0]]), rtol=0, atol=1e-6)

    @given(cases)
    def test_sums_signs_and_direction(self, case):
        k, seed, sharpness, rate = case
        p = distribution(k, seed, sharpness)
        for i in range(k):
            index = torch.tensor([i])
            for found, sign in ((reward(p, index, rate), 1), (penalize(p, index, rate), -1)):
                assert found.sum().item() == pytest.approx(1, abs=2e-6)
                assert (found >= 0).all()
                assert sign * (found - p)[0, i] >= -1e-6
                others = torch.arange(k) != i
                assert (sign * (found - p)[0, others] <= 1e-6).all()

    @given(cases)
    def test_where_nothing_is_clipped_it_is_the_equation(self, case):
        k, seed, _, rate = case
        p, index = distribution(k, seed, 0.2), torch.tensor([k // 2])
        gained = rate * p[0, k // 2]
        expected = p - gained / (k - 1)
        expected[0, k // 2] = p[0, k // 2] + gained
        if (expected >= 0).all() and (expected <= 1).all():
            assert_close(reward(p, index, rate), expected)
        expected = p + gained / (k - 1)
        expected[0, k // 2] = p[0, k // 2] - gained
        assert_close(penalize(p, index, rate), expected)

    @given(cases)
    def test_more_alpha_more_probability(self, case):
        k, seed, sharpness, rate = case
        p, index = distribution(k, seed, sharpness), torch.tensor([k - 1])
        assert reward(p, index, rate)[0, -1] >= reward(p, index, rate / 2)[0, -1] - 1e-6
        assert penalize(p, index, rate)[0, -1] <= penalize(p, index, rate / 2)[0, -1] + 1e-6

    @given(cases)
    def test_the_cap_holds(self, case):
        k, seed, sharpness, rate = case
        p, cap = distribution(k, seed, sharpness), 2 / k
        for found in (reward(p, torch.tensor([0]), rate, cap), penalize(p, torch.tensor([0]), rate, cap)):
            assert (found <= cap + 1e-6).all() and (found >= 0).all()
            assert found.sum().item() == pytest.approx(1, abs=2e-6)

    @given(cases)
    def test_no_distribution_is_nearer_to_the_equation(self, case):
        k, seed, sharpness, rate = case
        p = distribution(k, seed, sharpness)
        raw = p - rate * p[0, 0] / (k - 1)
        raw[0, 0] = p[0, 0] * (1 + rate)
        distance = (reward(p, torch.tensor([0]), rate) - raw).norm()
        rivals = torch.cat([distribution(k, seed + 1 + n, s) for n, s in enumerate((0.1, 1, 3))] + [p, torch.eye(k)])
        assert ((rivals - raw).norm(dim=-1) >= distance - 1e-5).all()

    def test_the_target_is_constant(self):
        p = torch.tensor([[0.5, 0.5]], requires_grad=True)
        assert not reward(p, torch.tensor([0]), 0.2).requires_grad
        assert not penalize(p, torch.tensor([0]), 0.2).requires_grad

    @pytest.mark.parametrize("rate", [0, 1.1, -0.2])
    def test_wrong_rates_are_refused(self, rate):
        with pytest.raises(ValueError, match=r"must lie in \(0, 1\]"):
            reward(torch.tensor([[0.5, 0.5]]), torch.tensor([0]), rate)

    def test_a_cap_that_leaves_no_distribution_is_refused(self):
        with pytest.raises(ValueError, match=r"4 probabilities of at most 0.2 cannot sum to 1"):
            penalize(torch.full((1, 4), 0.25), torch.tensor([0]), 0.2, cap=0.2)


class TestDivergence:
    def test_is_torchs_with_the_target_first(self, generator):
        target, logits = distribution(5, 1), torch.randn(1, 5, generator=generator)
        expected = F.kl_div(logits.log_softmax(dim=-1), target, reduction="batchmean")
        assert divergence(target, logits).item() == pytest.approx(expected.item(), rel=1e-5)
        backwards = divergence(logits.softmax(dim=-1), target.log())
        assert abs(divergence(target, logits) - backwards) > 1e-2

    def test_a_bin_without_target_costs_nothing(self):
        found = divergence(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]]))
        assert found.item() == pytest.approx(torch.tensor(2.0).log().item())

    def test_its_gradient_pulls_by_what_was_rewarded(self, generator):
        logits = torch.randn(1, 6, generator=generator, requires_grad=True)
        predicted = logits.detach().softmax(dim=-1)
        divergence(reward(predicted, torch.tensor([2]), 0.2), logits).sum().backward()
        assert logits.grad[0, 2].item() == pytest.approx(-0.2 * predicted[0, 2].item(), rel=1e-4)


class TestSweep:
    def test_every_pair_of_bins_once_for_each_image(self, generator):
        drawn = augment.sweep(3, SCALES, ROTATIONS, generator)
        exponent, angle = drawn.scale.log2().view(3, 7, 9), drawn.angle.view(3, 7, 9)
        assert ((exponent - torch.tensor(SCALES.centres)[:, None]).abs() <= 0.05 + 1e-5).all()
        assert ((angle - torch.tensor(ROTATIONS.centres)).abs() <= 5 + 1e-4).all()
        assert exponent.unique().numel() > 60 and not drawn.flip.any() and (drawn.gain == 1).all()

    def test_apart_moves_one_at_a_time(self, generator):
        drawn = augment.sweep_apart(2, Bins(SCALES.centres, 0), Bins(ROTATIONS.centres, 0), generator)
        exponent, angle = drawn.scale.log2().view(2, 16), drawn.angle.view(2, 16)
        for row in range(2):
            assert exponent[row].tolist() == pytest.approx([*SCALES.centres, *[0] * 9], abs=1e-6)
            assert angle[row].tolist() == [*[0] * 7, *ROTATIONS.centres]

    def test_losses_are_gathered_into_bins(self):
        losses = torch.tensor([[[1.0, 2, 3], [4, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
        scale, rotation = augment.accumulate(losses)
        assert_close(scale, torch.tensor([[0.6, 0.4], [0.5, 0.5]]))
        assert_close(rotation, torch.tensor([[0.5, 0.2, 0.3], [1 / 3, 1 / 3, 1 / 3]]))

    def test_nothing_becomes_uniform(self):
        assert_close(normalize(torch.zeros(2, 4)), torch.full((2, 4), 0.25))
