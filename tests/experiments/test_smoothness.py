"""Jitter and error surfaces, with methods whose answers are known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from posenb import augment, corruptions
from posenb.experiments import smoothness
from tests.tiny import tiny_data, tiny_method


def answering(answer: object) -> object:
    """A method that answers ``answer(images)``."""
    method = tiny_method()
    method.predict = lambda images, flip=False: (answer(images), torch.ones(len(images), 14))  # type: ignore[method-assign, operator]
    return method


def test_jitter_is_the_movement_beyond_the_true_one() -> None:
    video = tiny_data(7)
    shift = torch.tensor([[3.0, 4.0]] * 7).cumsum(dim=0)
    for added, expected in ((torch.zeros(7, 1, 2), 0.0), (shift[:, None], 5.0 * 256 / 32)):
        method = answering(lambda images, added=added: video.points + added)
        points, jitter = smoothness.jitter(method, video)  # type: ignore[arg-type]
        assert torch.allclose(points, video.points + added)
        assert np.isclose(jitter, expected, atol=1e-4)


def test_a_constant_answer_has_a_flat_surface_and_a_wild_one_a_rough_one() -> None:
    data = tiny_data(3)
    middle = answering(lambda images: torch.full((len(images), 14, 2), 16.0))
    flat = smoothness.surface(middle, data, side=5)  # type: ignore[arg-type]
    assert flat.shape == (3, 5, 5)
    assert np.allclose(smoothness.roughness(flat), 0, atol=1e-5)
    expected = (data.points - 16).norm(dim=-1).mean(dim=1) * 256 / 32
    assert np.allclose(flat[:, 0, 0], expected, atol=1e-3)

    def wild(images: Tensor) -> Tensor:
        # a large number's last digits
        return (images.flatten(1)[:, :28].view(-1, 14, 2) * 1e4) % 32

    assert (smoothness.roughness(smoothness.surface(answering(wild), data, side=5)) > 1).all()  # type: ignore[arg-type]


def test_the_axes_lead_to_a_test_corruption_and_along_random_signs() -> None:
    data, seen = tiny_data(6), []

    def answer(images: Tensor) -> Tensor:
        seen.append(images)
        return torch.full((len(images), 14, 2), 16.0)

    smoothness.surface(answering(answer), data, side=5)  # type: ignore[arg-type]
    size = data.size[0]
    for number, views in enumerate(seen):
        grid = views.view(5, 5, 3, size, size)
        image = augment.center(data.images[number : number + 1], data.size)[0]
        assert torch.equal(grid[2, 2], image)
        inside = (image > 0.11) & (image < 0.89)  # where nothing is clipped
        signs = (grid[2, 4] - image)[inside] / 0.1
        assert torch.allclose(signs.abs(), torch.ones_like(signs), atol=1e-4)
        assert 0.4 < (signs > 0).float().mean() < 0.6
        name = corruptions.TEST[number % 5]
        if name in ("gaussian_blur", "jpeg_compression", "saturate"):  # those without chance
            corrupted = corruptions.corrupt(image[None], name, 3, torch.Generator())[0]
            free = (grid[4, 2] > 0) & (grid[4, 2] < 1)
            way, gone = (corrupted - image)[free], (grid[4, 2] - image)[free]
            assert torch.corrcoef(torch.stack([way, gone]))[0, 1] > 0.99


def test_roughness_by_hand() -> None:
    plane = np.add.outer(2.0 * np.arange(5), 3.0 * np.arange(5))
    assert smoothness.roughness(plane[None])[0] == 0
    step = np.zeros((1, 5, 5))
    step[0, 2:] = 1
    # along one axis the second differences are 0 or 1, -1: two of three rows; along the other all are 0
    assert np.isclose(smoothness.roughness(step)[0], (2 / 3 + 0) / 2)


def test_frames_of_synthetic_and_of_real_data() -> None:
    data = tiny_data(4)
    drawn = smoothness.frames(data, "body", 1)
    assert len(drawn) == smoothness.FRAMES
    assert drawn.size == data.size
    again = smoothness.frames(data, "body", 1)
    assert torch.equal(drawn.images, again.images)
    assert not torch.equal(drawn.images, smoothness.frames(data, "body", 2).images)

    turned = smoothness.frames(data, "lsp", 5)
    assert len(turned) == smoothness.FRAMES
    assert torch.allclose(turned.points[smoothness.FRAMES // 2], data.points[5 % 4], atol=1e-4), (
        "the middle is as it was"
    )
    moved = turned.points.diff(dim=0).norm(dim=-1)
    # a quarter of a degree at most 23 pixels from the middle of 32
    assert (moved <= np.radians(0.25) * 23).all()
    assert moved.max() > 0
    assert not torch.equal(turned.images[2], turned.images[3]), "noise is new in every frame"
