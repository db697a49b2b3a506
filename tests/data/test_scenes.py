"""People of unknown size and their nine boxes."""

import pytest
import torch

from posenb import data, geometry
from posenb.data import scenes, synthetic
from posenb.errors import UserError


@pytest.fixture(scope="module")
def scene():
    return synthetic.scene(24, seed=5, cache=False)


def test_nine_boxes_from_1_4_to_0_3_of_the_smaller_side_equally_far_apart():
    sides = scenes.sides((128, 192))
    assert len(sides) == 9 and sides[0].item() == pytest.approx(179.2) and sides[-1].item() == pytest.approx(38.4)
    ratios = sides[1:] / sides[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(8))


def test_the_fitting_box_is_nearest_to_1_2_statures(scene):
    sides = scenes.sides(scene.dataset.size)
    box = scenes.fitting(scene.height, scene.dataset.size)
    off = (sides[box] - 1.2 * scene.height).abs()
    assert all((off <= (side - 1.2 * scene.height).abs() + 1e-4).all() for side in sides)
    assert len(box.unique()) > 4  # people of many sizes


@pytest.mark.parametrize("margin", [0, 8])
def test_a_person_in_its_box_stands_on_the_middle_and_is_as_tall_as_all(scene, margin):
    box = scenes.fitting(scene.height, scene.dataset.size)
    found = scenes.boxed(scene, box, 64, margin)
    middle = scenes.markers(found.cropped())
    torch.testing.assert_close(middle, torch.full((24, 2), 32.0), atol=1e-3, rtol=0)
    assert found.images.shape[-1] == 64 + 2 * margin and found.size == (64, 64)
    # neighbouring boxes differ by a factor of 1.21
    inner = (1.2 * scene.height > 40) & (1.2 * scene.height < 175)
    assert ((found.stature[inner] * 1.2 / 64).log2().abs() < 0.2).all()
    torch.testing.assert_close(found.stature / found.reference, scene.height / scene.dataset.reference)


def test_points_go_to_their_box_and_back(scene):
    box = torch.arange(24) % scenes.BOXES
    matrix = scenes.matrices(scene.dataset, box, 64)
    seen = scenes.boxed(scene, box, 64)
    back = geometry.transform_points(seen.points, torch.linalg.inv(matrix))
    torch.testing.assert_close(back, scene.dataset.points, atol=1e-3, rtol=1e-4)


def test_pictures_go_with_their_points(scene):
    """The colour at a joint that lies well inside is that of the picture there, up to what blurring changes."""
    box = scenes.fitting(scene.height, scene.dataset.size)
    seen = scenes.boxed(scene, box, 64)
    joint = scene.dataset.skeleton.index("thorax")[0]

    def colour(images, points):
        x, y = points.floor().long().unbind(-1)
        return torch.stack([image[:, j, i] for image, i, j in zip(images, x, y, strict=True)]).float()

    inside = scene.dataset.visible[:, joint]
    a = colour(scene.dataset.images[inside], scene.dataset.points[inside, joint])
    b = colour(seen.images[inside], seen.points[inside, joint])
    shuffled = b.roll(1, dims=0)
    assert (a - b).abs().mean() < 0.5 * (a - shuffled).abs().mean()


def test_is_a_data_set_by_name_in_two_views():
    fitting, wide = (data.load("scene", "val", count=6, view=view, difficulty=0.1) for view in ("fitting", "wide"))
    assert fitting.stature is not None and wide.stature is not None
    assert (wide.stature < fitting.stature * 1.01).all() and fitting[:2].stature.shape == (2,)
    with pytest.raises(UserError, match="view must be"):
        data.load("scene", "val", count=2, view="sideways")
