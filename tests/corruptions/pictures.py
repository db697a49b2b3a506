"""Pictures that the tests corrupt: coarse noise with a white, a black and a grey patch, of odd sides."""

import torch
import torch.nn.functional as F


def pictures(count=2, height=67, width=75, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 9, generator=generator)
    images = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    images[:, :, 10:20, 10:20] = 1.0
    images[:, :, 30:40, 30:40] = 0.0
    images[:, :, 45:55, 45:60] = 0.5
    return (images * 255).round().to(torch.uint8)


def flat(level, count=1, side=64):
    return torch.full((count, 3, side, side), level, dtype=torch.uint8)
