"""What stable heatmap regression is compared with (Zhang et al. 2022, section 4.5), as pure functions.

None of them uses one of the five test corruptions. Images are ``(B, 3, H, W)`` in [0, 1]; what is drawn for an image
comes from a generator on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torchvision.transforms.v2 import functional as ops

Operation = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Strengths:
    """Attributes:
    radius: of adversarial training, largest change of a pixel. Madry et al. have 8/255 on 32 x 32 images.
    attack_steps: of adversarial training. Madry et al. have 7; each costs a forward and a backward pass.
    severity: of AugMix's operations, of 10; its CIFAR setting.
    lipschitz: largest gain of a layer. Within 2 a small network's maps may shrink until nothing is left of them.
    patch: largest side of a Gaussian patch, of the image's: Lopes et al. have 25 of 32 pixels.
    patch_std: largest standard deviation in a patch; Lopes et al. go to 1.
    noise_std: of stability training with Gaussian noise; the training corruption's at its middle severity.
    """

    radius: float = 4 / 255
    attack_steps: int = 2
    severity: float = 3.0
    lipschitz: float = 2.0
    patch: float = 25 / 32
    patch_std: float = 0.5
    noise_std: float = 0.12


def attack(loss: Callable[[Tensor], Tensor], images: Tensor, radius: float, steps: int, generator: Generator) -> Tensor:
    """Images near the given ones on which a loss is high: projected gradient ascent (Madry et al. 2018).

    Starts at a random place in the cube of half-width ``radius``, and takes ``steps`` steps of 2.5 radius / ``steps``
    along the gradient's sign.
    """
    start = (torch.rand(images.shape, generator=generator) * 2 - 1).to(images.device) * radius
    found = (images + start).clamp(0, 1)
    for _ in range(steps):
        found = found.detach().requires_grad_()
        (slope,) = torch.autograd.grad(loss(found), found)
        moved = found.detach() + 2.5 * radius / steps * slope.sign()
        found = torch.minimum(torch.maximum(moved, images - radius), images + radius).clamp(0, 1)
    return found.detach()


def add_noise(images: Tensor, std: float, generator: Generator) -> Tensor:
    """Gaussian noise on every pixel, cut off at 0 and 1 (stability training, Li et al. 2019)."""
    return (images + torch.randn(images.shape, generator=generator).to(images.device) * std).clamp(0, 1)


def patch_gaussian(images: Tensor, side: float, std: float, generator: Generator) -> Tensor:
    """Gaussian noise in one square of each image (Lopes et al. 2019).

    The square's centre lies anywhere in the image, its side is uniform up to ``side`` of the image's, its standard
    deviation uniform up to ``std``.
    """
    count, _, height, width = images.shape
    row, column, reach, strength = torch.rand(4, count, 1, 1, 1, generator=generator).to(images.device)
    y = torch.arange(height, device=images.device).view(-1, 1) + 0.5
    x = torch.arange(width, device=images.device) + 0.5
    half = reach * side * min(height, width) / 2
    inside = ((y - row * height).abs() <= half) & ((x - column * width).abs() <= half)
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    return torch.where(inside, (images + noise * strength * std).clamp(0, 1), images)


def augmix(images: Tensor, severity: float, generator: Generator, chains: int = 3) -> Tensor:
    """A random mixture of randomly changed images (Hendrycks et al. 2020, AugMix).

    Each chain applies one to three operations; their Dirichlet mixture is mixed with the image by a uniform share. Of
    AugMix's operations these are the ones that leave joints where they are: autocontrast, equalize, posterize,
    solarize. Its rotations, shears and shifts would mix pictures whose joints lie at different places.
    """
    count = len(images)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    weights = -uniform(chains, count).clamp(min=1e-12).log()  # exponential: over their sum, Dirichlet(1, ..., 1)
    weights = (weights / weights.sum(dim=0)).to(images.device)[..., None, None, None]
    mixture = torch.zeros_like(images)
    for weight in weights:
        depth = torch.randint(1, 4, (count,), generator=generator)
        chain = images.clone()
        for link in range(3):
            which = torch.randint(len(OPERATIONS), (count,), generator=generator)
            level = (uniform(count) * (severity - 0.1) + 0.1).to(images.device)
            # beyond a chain's end nothing happens
            which = torch.where(link < depth, which, -1)
            for number, operation in enumerate(OPERATIONS):
                rows = (which == number).nonzero()[:, 0].to(images.device)
                if len(rows):
                    chain[rows] = operation(chain[rows], level[rows])
        mixture += weight * chain
    share = uniform(count).to(images.device)[:, None, None, None]
    return (1 - share) * images + share * mixture


def _autocontrast(images: Tensor, level: Tensor) -> Tensor:
    low, high = images.amin(dim=(-2, -1), keepdim=True), images.amax(dim=(-2, -1), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp(min=1e-6), images)


def _equalize(images: Tensor, level: Tensor) -> Tensor:
    return ops.equalize((images * 255).round().to(torch.uint8)).to(images.dtype) / 255


def _posterize(images: Tensor, level: Tensor) -> Tensor:
    """To 4 bits a channel at level 0, one at level 10."""
    step = 2 ** (4 + (level * 4 / 10).floor())[:, None, None, None]
    return ((images * 255 / step).floor() * step / 255).clamp(0, 1)


def _solarize(images: Tensor, level: Tensor) -> Tensor:
    """Inverts what is brighter than 1 - level / 10."""
    return torch.where(images >= (1 - level / 10)[:, None, None, None], 1 - images, images)


OPERATIONS: tuple[Operation, ...] = (_autocontrast, _equalize, _posterize, _solarize)


def disagreement(maps: Sequence[Tensor], visible: Tensor) -> Tensor:
    """AugMix's consistency for heatmaps: the mean squared distance from the mean map of ``(B, K, H, W)`` maps.

    The Jensen-Shannon divergence is how much more entropy the mean of distributions has than they have; this is how
    much less square. Maps that are trained by squared error are no distributions.

    Returns:
        a scalar: the mean over maps, pixels, images and joints; those not ``visible (B, K)`` count as zero.
    """
    stacked = torch.stack(list(maps))
    squared = (stacked - stacked.mean(dim=0)).square().mean(dim=(0, -2, -1))
    return (squared * visible).mean()


def change_norm(clean: Tensor, perturbed: Tensor, visible: Tensor) -> Tensor:
    """Stability training's loss (Zheng et al. 2016): the Euclidean norm of each map's change.

    Returns:
        a scalar: the mean over images and joints of maps ``(B, K, H, W)``; those not ``visible (B, K)`` count as zero.
    """
    squared = (perturbed - clean).square().sum(dim=(-2, -1))
    # the root has no slope at 0
    norm = torch.where(squared > 0, squared, 1.0).sqrt() * (squared > 0)
    return (norm * visible).mean()


@torch.no_grad()
def limit_lipschitz(network: nn.Module, bound: float) -> None:
    """Scale down each layer whose largest gain exceeds ``bound``, in place.

    A convolution's gain is taken to be the largest singular value of its weight as a matrix of output channels by all
    else; a batch normalisation's the largest factor that it applies. Called after every step.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            weight = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
            matrix = weight.flatten(1).double()
            gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
            gain = torch.linalg.eigvalsh(gram)[-1].clamp(min=0).sqrt().to(layer.weight.dtype)
            layer.weight.mul_((bound / gain).clamp(max=1))
        elif isinstance(layer, (nn.BatchNorm2d, nn.SyncBatchNorm)) and layer.running_var is not None:
            gain = layer.weight.abs() / (layer.running_var + layer.eps).sqrt()
            layer.weight.mul_((bound / gain.clamp(min=1e-12)).clamp(max=1))
