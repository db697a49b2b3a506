"""The row-column correlation layer (Zhang et al. 2022, section 3.1): a heatmap multiplied by itself.

A Gaussian comes back as a Gaussian at the same place, times a weight that falls with its distance from the main
diagonal: sigma sqrt(pi) exp(-(row - column)^2 / (4 sigma^2)). Several peaks come back with peaks where the row of one
meets the column of another. The layer knows neither shift nor mirror: maps of mirrored images are averaged before it.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Two factors of at most 2^57, summed over up to 2^13 columns, stay below float32's 2^128.
_LIFT = 57
# Where less than this is left of a map's squared maximum, the gradient of the normalised map would overflow.
_FAINT = 1e-20


def rcc(maps: Tensor, normalize: bool = True) -> Tensor:
    """RCC(l, m) = sum over i of HT(l, i) HT(i, m), Eq. (1): the matrix product of a map with itself.

    Negative values count as 0: the product of two of them would speak for a joint. Give it what a softmax, a sigmoid
    or a softplus made, or take care that the peaks are positive.

    float32 holds the product of two ordinary Gaussian tails to ``|row - column|`` of about 19 sigma only. So maps are
    lifted to the upper end of its range first, which carries to about 25 sigma, where the Gaussian's own tail is 0.

    Args:
        maps: ``(..., H, W)`` with H = W.
        normalize: divide each map by its maximum, Eq. (7). The gradient goes through the maximum as well. A map whose
            product is 0 everywhere stays 0; one whose maximum is below 1e-20 of the squared maximum of the input is
            right, but gets no gradient, which would overflow.

    Returns:
        ``(..., H, W)``, with maximum 1 where ``normalize``; in float32 or float64.

    Raises:
        ValueError: for maps that are not square.
    """
    maps = _square(maps).clamp(min=0)
    top = maps.detach().amax(dim=(-2, -1), keepdim=True)
    lift = 2.0**_LIFT / torch.where(top > 0, top, 1.0)
    lifted = maps * lift
    product = _product(lifted, lifted)
    if not normalize:
        return product / lift / lift
    peak = product.amax(dim=(-2, -1), keepdim=True)
    faint = peak.detach() <= _FAINT * 4.0**_LIFT
    # where nothing is left there is nothing to divide by
    right = (product / torch.where(peak > 0, peak, 1.0)).detach()
    return torch.where(faint, right, product / torch.where(faint, 1.0, peak))


def log_rcc(log_maps: Tensor) -> Tensor:
    """The logarithm of RCC, from the logarithm of the maps, for losses that need log-probabilities.

    The log of a sum of exponentials, as a matrix product: each row of the left factor and each column of the right one
    is divided by its maximum first. What is below e^-80 of the product of the two maxima is raised to there.

    Args:
        log_maps: ``(..., H, W)`` with H = W, finite.

    Returns:
        ``(..., H, W)``: log of sum over i of exp(log_maps(l, i) + log_maps(i, m)), not normalised.

    Raises:
        ValueError: for maps that are not square.
    """
    log_maps = _square(log_maps)
    rows = log_maps.detach().amax(dim=-1, keepdim=True)
    columns = log_maps.detach().amax(dim=-2, keepdim=True)
    product = _product((log_maps - rows).exp(), (log_maps - columns).exp())
    return product.clamp(min=1e-35).log() + rows + columns


def _product(left: Tensor, right: Tensor) -> Tensor:
    """The matrix product in the factors' precision, also where a network runs in a lower one."""
    with torch.autocast(left.device.type, enabled=False):
        return left @ right


def _square(maps: Tensor) -> Tensor:
    """Maps in at least single precision; refuses those that are not square."""
    if maps.ndim < 2 or maps.shape[-2] != maps.shape[-1]:
        raise ValueError(f"row-column correlation needs square maps (..., H, W) with H = W, not {tuple(maps.shape)}")
    return maps.to(torch.promote_types(maps.dtype, torch.float32))
