"""Losses as pure functions: prediction, target, mask -> scalar.

Each is a mean over all B images and K joints, unlabelled ones included as zeros. So the loss of a batch is the mean of
the losses of its equal parts, whatever is labelled in them, and several processes get what one would.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from posenb.heatmaps import multi_label


def heatmap_mse(pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Mean squared error between heatmaps, the usual loss of pose networks.

    Args:
        pred, target: ``(B, K, H, W)``.
        visible: ``(B, K)`` bool; maps of unlabelled joints count as zero error.

    Returns:
        a scalar: the mean over images, joints and pixels.
    """
    return ((pred - target).square().mean(dim=(-2, -1)) * visible).mean()


def per_image(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A loss of this module, a mean over images, as one that gives each image's own, ``(B,)``."""
    return torch.vmap(lambda pred, target, visible: loss(pred[None], target[None], visible[None]))


def over_visible(losses: Tensor, visible: Tensor) -> Tensor:
    """Each image's loss ``(B,)``, a mean over all its joints, as one over those ``visible (B, K)`` alone."""
    return losses / visible.float().mean(dim=-1).clamp(min=1 / visible.shape[-1])


def heatmap_l1(pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Mean absolute error between heatmaps ``(B, K, H, W)``; otherwise as :func:`heatmap_mse`."""
    return ((pred - target).abs().mean(dim=(-2, -1)) * visible).mean()


def soft_cross_entropy(logits: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Cross-entropy between softmax over the map's pixels and the target map made to sum to 1.

    Not the papers' loss: an option that learns about three times faster from few images.

    Args:
        logits: ``(B, K, H, W)``, before the softmax.
        target: ``(B, K, H, W)``, non-negative.
        visible: ``(B, K)`` bool; unlabelled joints, and those whose target is empty, count as zero.

    Returns:
        a scalar in nats: the mean over images and joints.
    """
    weights = target.flatten(-2)
    mass = weights.sum(dim=-1)
    log_probabilities = logits.flatten(-2).log_softmax(dim=-1)
    entropy = -(weights * log_probabilities).sum(dim=-1) / mass.clamp(min=1e-12)
    # a joint just outside leaves a tail that says less than its noise
    return (entropy * (visible & (mass > 1e-3))).mean()


def weighted_cross_entropy(
    log_probabilities: Tensor, weights: Tensor, visible: Tensor, normalize: bool = True
) -> Tensor:
    """Cross-entropy over the pixels that may be called the joint, each by its weight (Zhang et al. 2022, Eq. 8).

    -sum of w y log r, y = 1 where w > 0. It is least where r is w made to sum to 1.

    Args:
        log_probabilities: ``(B, K, H, W)``, log r: r sums to 1 over each map. May be -inf where the weight is 0.
        weights: ``(B, K, H, W)``, w >= 0, such as a highly differentiated heatmap.
        visible: ``(B, K)`` bool; unlabelled joints, and those without a weight, count as zero.
        normalize: divide each joint's sum by its weights' sum, 51.03 for a whole square of the paper's, so that it is
            a cross-entropy in nats. False is Eq. (8) as printed. The two differ by that factor, and near the border.

    Returns:
        a scalar: the sum over pixels, the mean over images and joints (Eq. 8 sums over images).
    """
    # 0 x -inf is NaN
    labelled = torch.where(multi_label(weights), log_probabilities, 0.0)
    loss = -(weights * labelled).sum(dim=(-2, -1))
    if normalize:
        loss = loss / weights.sum(dim=(-2, -1)).clamp(min=1e-12)
    # what is not labelled may be infinite, and infinity x 0 is NaN
    return torch.where(visible, loss, 0.0).mean()


def maximum_stability(clean: Tensor, perturbed: Tensor, visible: Tensor) -> Tensor:
    """How much a map changes, and how much it changes at its maximum (Zhang et al. 2022, Eq. 9), 1 : 1.

    The maximum's place is the clean map's; the perturbed map is read at the same place. Both maps get gradient.

    Args:
        clean, perturbed: ``(B, K, H, W)``, maps of an image and of the same image perturbed.
        visible: ``(B, K)`` bool; the other joints count as zero. The loss needs no label: give all True to use all.

    Returns:
        a scalar: the mean over pixels of the squared change plus the squared change at the maximum, the mean over
        images and joints (Eq. 9 sums over images).
    """
    change = (perturbed - clean).flatten(-2)
    place = clean.flatten(-2).argmax(dim=-1, keepdim=True)
    loss = change.square().mean(dim=-1) + change.gather(-1, place).squeeze(-1).square()
    return (loss * visible).mean()
