"""Distributions over augmentations that a network predicts (Peng et al. 2018, sections 4.1 and 4.3).

A distribution is a row of k probabilities: over bins of scale or rotation, each a small bounded Gaussian, or over the
cells of an occlusion grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from posenb.augment.affine import Draw, still


@dataclass(frozen=True)
class Bins:
    """k small Gaussians side by side.

    Attributes:
        centres: k means.
        std: of each Gaussian; 0 gives the centres themselves, as the released code's sweep does.
        bound: values are clipped to so many standard deviations of the centre.
    """

    centres: tuple[float, ...]
    std: float
    bound: float = 1.0

    def __len__(self) -> int:
        return len(self.centres)

    def values(self, index: Tensor, noise: Tensor) -> Tensor:
        """A value from each of these bins, given standard normal noise, all in the shape of ``index``."""
        return torch.tensor(self.centres, device=index.device)[index] + self.std * noise.clamp(-self.bound, self.bound)


SCALES = Bins(tuple(round(-0.6 + 0.2 * k, 1) for k in range(7)), std=0.05)
"""m = 7 bins of log2 of the enlargement, 2^-.6 to 2^.6. The paper gives their number; centres, std are the code's."""

ROTATIONS = Bins(tuple(range(-60, 61, 15)), std=5.0)
"""n = 9 bins of degrees, -60 to 60. The paper gives their number; the released code has 7 of them, 20 degrees apart."""


def sample(probabilities: Tensor, noise: Tensor, count: int = 1) -> Tensor:
    """Draw ``count`` different bins or cells of each distribution, one after the other, without putting back.

    The largest of log p plus Gumbel noise is a draw from p, the next largest a draw from what is left, and so on.

    Args:
        probabilities: ``(B, k)``.
        noise: ``(B, k)``, uniform on [0, 1). The caller draws it: processes that share a batch draw for all of it.
        count: at most k.

    Returns:
        indices ``(B, count)``. What has probability 0 comes last.
    """
    # a uniform number can be 0, and nothing may stand behind a probability of 0
    gumbel = -(-noise.clamp(min=1e-30).log()).log()
    return (probabilities.log() + gumbel).topk(count, dim=-1).indices


def reward(probabilities: Tensor, index: Tensor, alpha: float, cap: float | None = None) -> Tensor:
    """The distribution that a harder augmentation asks for: eq. (3), P_i = (1 + alpha) P~_i.

    The others pay for it evenly, alpha P~_i / (k - 1) each. The paper leaves open what happens where one has less than
    that: here it goes to 0, and the nearest such distribution (in squared distance) is taken.

    Args:
        probabilities: ``(B, k)``, what was predicted, P~.
        index: ``(B,)``, what was drawn, or ``(B, m)`` where m cells were; each of those gains.
        alpha: in (0, 1].
        cap: no probability may pass it. The released code has 2 / k, the paper none: with it no bin is drawn more than
            twice as often as by chance, so the augmenter cannot settle on one.

    Returns:
        ``(B, k)``, without gradient: a constant target. Rows sum to 1.

    Raises:
        ValueError: for a rate outside (0, 1], or a cap below 1 / k.
    """
    return _moved(probabilities, index, alpha, 1.0, cap)


def penalize(probabilities: Tensor, index: Tensor, beta: float, cap: float | None = None) -> Tensor:
    """The distribution that an easier augmentation asks for: eq. (4), P_i = (1 - beta) P~_i.

    The others share what it loses, beta P~_i / (k - 1) each. The paper prints that they lose as well, which leaves a
    sum of 1 - 2 beta P~_i; the released code adds, as we do. Arguments and errors as :func:`reward`.
    """
    return _moved(probabilities, index, beta, -1.0, cap)


def _moved(probabilities: Tensor, index: Tensor, rate: float, sign: float, cap: float | None) -> Tensor:
    bins = probabilities.shape[-1]
    if not 0 < rate <= 1:
        raise ValueError(f"the rate of a reward or penalty must lie in (0, 1], not {rate}")
    if cap is not None and cap * bins < 1:
        raise ValueError(f"{bins} probabilities of at most {cap} cannot sum to 1")
    before = probabilities.detach()
    drawn = torch.zeros_like(before, dtype=torch.bool).scatter(-1, index.view(len(index), -1), True)
    change = sign * rate * before * drawn
    others = (~drawn).sum(dim=-1, keepdim=True)
    # where every cell was drawn there is nobody to take from or to give to
    change = change - ~drawn * change.sum(dim=-1, keepdim=True) / others.clamp(min=1)
    return _distribution(before + torch.where(others > 0, change, 0.0), 1.0 if cap is None else cap)


def _distribution(values: Tensor, cap: float) -> Tensor:
    """The nearest row of numbers in [0, cap] with sum 1: the same number is taken from all, and the rest is clipped."""
    low, high = values.amin(dim=-1, keepdim=True) - cap, values.amax(dim=-1, keepdim=True)
    for _ in range(60 if values.dtype == torch.float64 else 40):
        middle = (low + high) / 2
        too_much = (values - middle).clamp(0, cap).sum(dim=-1, keepdim=True) > 1
        low, high = torch.where(too_much, middle, low), torch.where(too_much, high, middle)
    nearest = (values - high).clamp(0, cap)
    inside = ((values >= 0) & (values <= cap)).all(dim=-1, keepdim=True)
    return torch.where(inside, values, nearest)


def divergence(target: Tensor, logits: Tensor) -> Tensor:
    """KL(target || softmax(logits)) ``(B,)`` in nats, the loss of augmenters: target ``(B, k)`` first (section 4.1).

    Its gradient in the logits is softmax(logits) - target.
    """
    return (torch.special.xlogy(target, target) - target * logits.log_softmax(dim=-1)).sum(dim=-1)


def sweep(count: int, scales: Bins, rotations: Bins, generator: Generator) -> Draw:
    """One augmentation of each pair of bins for each of ``count`` images (section 4.1): count x m x n draws.

    Those of an image follow each other, and rotation runs fastest: ``view(count, m, n)`` sorts what comes of them.
    """
    pairs = torch.cartesian_prod(torch.arange(len(scales)), torch.arange(len(rotations))).repeat(count, 1)
    noise = torch.randn(pairs.shape, generator=generator)
    exponent, angle = (bins.values(pairs[:, k], noise[:, k]) for k, bins in enumerate((scales, rotations)))
    return replace(still(len(pairs)), scale=2**exponent, angle=angle)


def sweep_apart(count: int, scales: Bins, rotations: Bins, generator: Generator) -> Draw:
    """Each scale without rotation, then each rotation without scale, for each image: count x (m + n) draws.

    The released code's sweep, at the bins' centres there; a quarter of the cost of :func:`sweep`.
    """
    bins = torch.arange(len(scales) + len(rotations)).repeat(count)
    noise, scaled = torch.randn(len(bins), generator=generator), bins < len(scales)
    exponent = scales.values(torch.where(scaled, bins, 0), noise)
    angle = rotations.values(torch.where(scaled, 0, bins - len(scales)), noise)
    return replace(still(len(bins)), scale=2 ** (exponent * scaled), angle=angle * ~scaled)


def accumulate(losses: Tensor) -> tuple[Tensor, Tensor]:
    """Losses ``(B, m, n)`` of a sweep gathered into P^s ``(B, m)`` and P^r ``(B, n)``, each normalised to sum 1."""
    return normalize(losses.sum(dim=2)), normalize(losses.sum(dim=1))


def normalize(values: Tensor) -> Tensor:
    """Rows ``(B, k)`` of numbers >= 0 made to sum to 1; a row of zeros says nothing and becomes uniform."""
    total = values.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, values / torch.where(total > 0, total, 1.0), 1 / values.shape[-1])
