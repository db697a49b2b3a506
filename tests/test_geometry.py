"""The transforms: signs and conventions by hand, and one warp for points, images and maps."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from posenb.geometry import affine, transform_points, translation, warp
from posenb.heatmaps import decode, gaussian

angles = st.floats(-180, 180, width=32)
scales = st.floats(0.5, 2, width=32)
places = st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32))


def one(angle=0.0, scale=1.0, center=(0.0, 0.0), flip=False):
    """The matrix of a single transform, in double precision."""
    double = torch.float64
    return affine(
        torch.tensor([angle], dtype=double), torch.tensor([scale], dtype=double), center, torch.tensor([flip])
    )


def move(matrix, *points):
    return transform_points(torch.tensor([points], dtype=torch.float64), matrix)[0].tolist()


def random_matrices(count, size, generator, scale=(0.7, 1.5)):
    def uniform(low, high):
        return low + (high - low) * torch.rand(count, generator=generator)

    center = (size[1] / 2, size[0] / 2)
    return affine(uniform(-180, 180), uniform(*scale), center, uniform(0, 1) < 0.5)


def noise(generator, count, height, width):
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


class TestAffine:
    @given(angles, scales, places, st.booleans())
    def test_the_centre_stays(self, angle, scale, center, flip):
        assert move(one(angle, scale, center, flip), center)[0] == pytest.approx(center, abs=1e-9)

    @given(angles, scales, places, st.booleans(), places)
    def test_distances_grow_by_the_scale(self, angle, scale, center, flip, point):
        (x, y), (x0, y0) = move(one(angle, scale, center, flip), point, center)
        before = ((point[0] - center[0]) ** 2 + (point[1] - center[1]) ** 2) ** 0.5
        assert ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 == pytest.approx(scale * before, abs=1e-9)

    def test_a_positive_angle_turns_counter_clockwise_as_seen(self):
        # y points down: what is to the right of the centre goes to its top, then left, then down
        quarter = one(90, center=(10, 20))
        assert move(quarter, (13, 20), (10, 17), (7, 20), (10, 23)) == [
            pytest.approx(p) for p in ((10, 17), (7, 20), (10, 23), (13, 20))
        ]

    def test_a_flip_mirrors_left_and_right_and_comes_before_the_turn(self):
        assert move(one(flip=True, center=(10, 20)), (13, 21))[0] == pytest.approx((7, 21))
        # right goes to left, which a quarter turn sends down
        assert move(one(90, flip=True, center=(10, 20)), (13, 20))[0] == pytest.approx((10, 23))

    @given(angles, scales, st.booleans(), places)
    def test_is_a_flip_then_a_turn_then_a_scaling(self, angle, scale, flip, center):
        steps = one(scale=scale, center=center) @ one(angle, center=center) @ one(flip=flip, center=center)
        assert_close(one(angle, scale, center, flip), steps, rtol=0, atol=1e-9)

    @given(angles, angles, scales, scales, places)
    def test_turns_add_and_scales_multiply(self, a, b, s, t, center):
        assert_close(one(a, s, center) @ one(b, t, center), one(a + b, s * t, center), rtol=0, atol=1e-9)

    def test_a_batch_is_its_elements(self):
        angle, scale, flip = torch.tensor([10.0, -70.0]), torch.tensor([1.0, 1.5]), torch.tensor([True, False])
        both = affine(angle, scale, (3.0, 4.0), flip)
        assert both.shape == (2, 3, 3)
        for k in range(2):
            assert_close(both[k], affine(angle[k : k + 1], scale[k : k + 1], (3.0, 4.0), flip[k : k + 1])[0])

    def test_without_flip_nothing_is_mirrored(self):
        arguments = torch.tensor([30.0]), torch.tensor([2.0]), (1.0, 2.0)
        assert torch.equal(affine(*arguments), affine(*arguments, torch.tensor([False])))


class TestTransformPoints:
    def test_by_hand(self):
        assert move(translation(torch.tensor([2.0]), torch.tensor([-3.0])).double(), (1, 1))[0] == [3, -2]
        assert move(one(90, 2.0), (1, 0), (0, 1)) == [pytest.approx((0, -2)), pytest.approx((2, 0))]

    def test_each_image_has_its_matrix(self):
        matrix = translation(torch.tensor([0.0, 10.0]), torch.tensor([0.0, 20.0]))
        assert transform_points(torch.ones(2, 3, 2), matrix)[:, 1].tolist() == [[1, 1], [11, 21]]

    def test_nan_stays_nan_and_spoils_no_neighbour(self):
        points = torch.tensor([[[1.0, 2.0], [float("nan"), float("nan")], [3.0, 4.0]]]).double()
        moved = transform_points(points, one(33, 1.2, (5, 5)))
        assert moved.isnan().all(dim=-1).tolist() == [[False, True, False]]

    @given(angles, scales, places, st.booleans(), places)
    def test_the_inverse_leads_back(self, angle, scale, center, flip, point):
        matrix = one(angle, scale, center, flip)
        back = move(torch.linalg.inv(matrix), *move(matrix, point))
        assert back[0] == pytest.approx(point, abs=1e-9)


def as_is(images):
    return images


# the OpenCV path, the torch path, and the torch path of bytes
PATHS = {"uint8": (as_is, "border"), "float": (torch.Tensor.float, "border"), "uint8 zeros": (as_is, "zeros")}


@pytest.mark.parametrize(("cast", "padding"), PATHS.values(), ids=PATHS)
class TestWarpExactly:
    """Warps whose result is known to the pixel, along every path."""

    def check(self, result, expected):
        assert result.dtype == expected.dtype
        assert_close(result.float(), expected.float(), rtol=0, atol=0.5 if result.dtype == torch.uint8 else 0.02)

    def test_nothing(self, cast, padding, generator):
        images = cast(noise(generator, 2, 12, 20))
        self.check(warp(images, torch.eye(3).repeat(2, 1, 1), (12, 20), padding), images)

    @pytest.mark.parametrize("quarters", [-1, 1, 2])
    def test_quarter_turns(self, cast, padding, quarters, generator):
        images = cast(noise(generator, 1, 16, 16))
        turned = warp(images, one(90 * quarters, center=(8, 8)).float(), (16, 16), padding)
        self.check(turned, images.rot90(quarters, (2, 3)))  # numpy's and torch's are counter-clockwise too

    def test_a_quarter_turn_of_a_wide_picture_into_a_tall_one(self, cast, padding, generator):
        images = cast(noise(generator, 1, 12, 20))
        to_tall = translation(torch.tensor([-4.0]), torch.tensor([4.0]))  # the centre goes from (10, 6) to (6, 10)
        matrix = to_tall @ one(90, center=(10, 6)).float()
        self.check(warp(images, matrix, (20, 12), padding), images.rot90(1, (2, 3)))

    def test_mirroring_a_wide_picture(self, cast, padding, generator):
        images = cast(noise(generator, 1, 12, 20))
        self.check(warp(images, one(center=(10, 6), flip=True).float(), (12, 20), padding), images.flip(-1))

    def test_a_crop(self, cast, padding, generator):
        images = cast(noise(generator, 1, 12, 20))
        matrix = translation(torch.tensor([-7.0]), torch.tensor([-2.0]))
        self.check(warp(images, matrix, (5, 10), padding), images[..., 2:7, 7:17])

    @pytest.mark.parametrize("factor", [2.0, 0.5, 3.0])
    def test_a_ramp_stays_a_ramp_at_another_size(self, cast, padding, factor):
        # pixel i shows its centre's place: what is at x comes to factor * x
        ramp = (torch.arange(32) * 6 + 20).to(torch.uint8).expand(1, 3, 16, 32)
        size = (int(16 * factor), int(32 * factor))
        matrix = torch.diag(torch.tensor([factor, factor, 1.0]))[None]
        out = warp(cast(ramp.contiguous()), matrix, size, padding)
        centres = (torch.arange(size[1]) + 0.5) / factor
        inner = slice(int(factor) + 1, -int(factor) - 1)
        assert out.shape == (1, 3, *size)
        expected = (6 * (centres - 0.5) + 20).expand(size)
        assert_close(out[0, 0].float()[inner, inner], expected[inner, inner], rtol=0, atol=0.51)


def test_border_repeats_the_edge_and_zeros_is_black(generator):
    images = noise(generator, 1, 8, 10)
    matrix = translation(torch.tensor([3.0]), torch.tensor([-2.0]))
    edge = F.pad(images.float(), (3, 0, 0, 2), "replicate")[..., 2:, :10]
    black = F.pad(images.float(), (3, 0, 0, 2))[..., 2:, :10]
    for cast in (torch.Tensor.float, as_is):
        assert_close(warp(cast(images), matrix, (8, 10), "border").float(), edge, rtol=0, atol=0.01)
        assert_close(warp(cast(images), matrix, (8, 10), "zeros").float(), black, rtol=0, atol=0.01)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(48, 40, (48, 40)), (30, 64, (30, 64)), (48, 40, (64, 20)), (17, 31, (9, 50))]
)
def test_bytes_and_floats_agree_to_a_level(height, width, size, generator):
    # everywhere, edges included: both clamp what they ask for to the centres of the outermost pixels
    images = noise(generator, 6, height, width)
    matrix = random_matrices(6, (height, width), generator)
    quick, exact = warp(images, matrix, size), warp(images.float(), matrix, size)
    assert quick.dtype == torch.uint8 and quick.shape == exact.shape == (6, 3, *size)
    assert (quick.float() - exact).abs().max() <= 1


def test_bytes_may_be_laid_out_either_way(generator):
    images = noise(generator, 3, 20, 24)
    matrix = random_matrices(3, (20, 24), generator)
    last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(warp(last, matrix, (20, 24)), warp(images, matrix, (20, 24)))
    wide = F.pad(images, (2, 3, 1, 1))
    assert torch.equal(warp(wide[..., 1:-1, 2:-3], matrix, (20, 24)), warp(images, matrix, (20, 24)))


@pytest.mark.parametrize(("height", "size"), [(600, (8, 6)), (8, (600, 6))], ids=["tall input", "tall output"])
def test_a_batch_beyond_opencvs_rows_is_split(height, size, generator):
    count = 120  # 72,000 rows, OpenCV takes 32,767
    images = noise(generator, count, height, 6)
    matrix = random_matrices(count, (height, 6), generator)
    together = warp(images, matrix, size)
    assert together.shape == (count, 3, *size)
    for k in (0, 53, 54, 55, 108, 119):
        assert torch.equal(together[k : k + 1], warp(images[k : k + 1], matrix[k : k + 1], size))


def test_neighbours_in_a_batch_do_not_bleed_into_each_other(generator):
    # black and white by turns: anything taken from a neighbour shows
    images = torch.zeros(200, 3, 24, 18, dtype=torch.uint8)
    images[1::2] = 255
    out = warp(images, random_matrices(200, (24, 18), generator, scale=(0.3, 3)), (24, 18))
    assert not out[0::2].any()
    assert (out[1::2] == 255).all()


def test_the_gradient_of_a_warp_goes_where_the_pixels_came_from():
    images = torch.zeros(1, 1, 8, 8, requires_grad=True)
    warp(images, translation(torch.tensor([2.0]), torch.tensor([1.0])), (8, 8), "zeros")[0, 0, 5, 6].backward()
    expected = torch.zeros(8, 8)
    expected[4, 4] = 1
    assert_close(images.grad[0, 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_maps_are_as_good_as_their_values(dtype):
    # coordinates in half precision would be off by half a pixel here
    maps = gaussian(torch.tensor([[[20.3, 241.7]]]), (256, 256), 1, 2.0).to(dtype)
    matrix = translation(torch.tensor([40.4]), torch.tensor([-3.3]))
    out = warp(maps, matrix, (256, 256), "zeros")
    assert out.dtype == dtype
    exact = warp(maps.float(), matrix, (256, 256), "zeros")
    assert_close(out.float(), exact, rtol=torch.finfo(dtype).eps, atol=1e-4)


def test_an_unknown_padding_is_refused():
    with pytest.raises(ValueError, match="padding must be 'border' or 'zeros', not 'reflect'"):
        warp(torch.zeros(1, 3, 4, 4), torch.eye(3)[None], (4, 4), "reflect")


@given(
    angle=angles,
    scale=st.floats(0.75, 1.25),
    flip=st.booleans(),
    shift=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    place=st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    size=st.sampled_from([(48, 48), (48, 64), (60, 44)]),
    stride=st.sampled_from([1, 2, 4]),
)
def test_warping_a_map_is_drawing_the_warped_point(angle, scale, flip, shift, place, size, stride):
    """The property of the house: warp(encode(p), M) ~ encode(transform_points(p, M)), to sub-pixel error."""
    sigma, (height, width) = 3.0, size
    middle = (width * stride / 2, height * stride / 2)
    matrix = translation(*torch.tensor(shift, dtype=torch.float64)[:, None] * stride) @ one(angle, scale, middle, flip)
    point = torch.tensor([[[middle[0] + stride * place[0], middle[1] + stride * place[1]]]], dtype=torch.float64)
    moved = transform_points(point, matrix)
    # a map sees x / stride, and nothing else
    shrink = torch.diag(torch.tensor([1 / stride, 1 / stride, 1], dtype=torch.float64))
    warped = warp(gaussian(point, size, stride, sigma), shrink @ matrix @ shrink.inverse(), size, "zeros")
    drawn = gaussian(moved, size, stride, sigma * scale)
    # between pixels, bilinear interpolation errs by up to (|f_xx| + |f_yy|) / 8 <= 1 / (4 sigma^2)
    assert (warped - drawn).abs().max() <= 1 / (4 * sigma**2)
    # dark reads curvature, which bilinear interpolation has none of within a pixel
    for method, bound in (("soft", 0.02), ("dark", 0.25)):
        found, _ = decode(warped, stride, method)
        assert (found - moved).abs().max() <= bound * stride, method


def test_warping_many_maps_at_once_is_drawing_the_warped_points(generator):
    # every joint by its image's matrix, maps of 56 x 40 at stride 4
    size, stride, sigma = (56, 40), 4, 2.5
    matrix = random_matrices(8, (224, 160), generator, scale=(0.9, 1.1))
    points = torch.tensor([80.0, 112.0]) + (torch.rand(8, 5, 2, generator=generator) - 0.5) * 70
    shrink = torch.diag(torch.tensor([1 / stride, 1 / stride, 1]))
    warped = warp(gaussian(points, size, stride, sigma), shrink @ matrix @ shrink.inverse(), size, "zeros")
    found, _ = decode(warped, stride, "soft")
    assert_close(found, transform_points(points, matrix), rtol=0, atol=0.02 * stride)
