"""Iterative error feedback: targets, the ground truth's path, masking, the curriculum, and what is drawn."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD

from posenb import augment
from posenb.errors import UserError
from posenb.heatmaps import gaussian
from posenb.methods import find
from posenb.methods.base import Setting
from posenb.methods.error_feedback import (
    ErrorFeedback,
    Options,
    bounded_correction,
    ground_truth_path,
    stage,
)
from posenb.skeletons import LSP14
from posenb.step import Budget, Step
from posenb.training import make_fabric
from tests.tiny import NETWORK, tiny_data, tiny_method

coordinate = st.floats(-200, 200, width=32)
point = st.tuples(coordinate, coordinate)


def make(**options) -> ErrorFeedback:
    return ErrorFeedback(Options(**options), Setting(LSP14, (32, 32), "feedback", NETWORK))


def take_step(method, data, number=0, steps=4):
    """One step of the method on the CPU in single precision; its report."""
    optimizers = {"network": SGD(method.network.parameters(), 0.1)}
    step = Step(number, Budget(steps=steps, batch=4), 0, make_fabric("32-true", "cpu"), optimizers)
    return method.train().train_step(step, {"train": data})


class TestTarget:
    @given(point, point, st.floats(0.5, 20))
    def test_is_bounded_and_points_the_right_way(self, target, current, length):
        y, y_t = (torch.tensor(p, dtype=torch.float64) for p in (target, current))
        found, u = bounded_correction(y, y_t, length), y - y_t
        assert found.norm() <= length * (1 + 1e-9)
        assert found.norm().item() == pytest.approx(min(length, u.norm().item()))
        assert (found * u).sum().item() == pytest.approx((found.norm() * u.norm()).item(), rel=1e-6, abs=1e-9)

    def test_by_hand(self):
        y, y_t = torch.tensor([[13.0, 4.0], [1.0, 1.5], [-3.0, 0.0]]), torch.tensor([[10.0, 0.0], [1.0, 1.0], [9.0, 0]])
        expected = torch.tensor([[1.2, 1.6], [0.0, 0.5], [-2.0, 0.0]])  # L = 2: far, near, far on the other side
        torch.testing.assert_close(bounded_correction(y, y_t, 2.0), expected)

    def test_is_zero_at_the_label_with_a_finite_gradient(self):
        y = torch.tensor([[3.0, 4.0]], requires_grad=True)
        found = bounded_correction(y, y.detach(), 2.0)
        found.sum().backward()
        assert not found.any() and y.grad.isfinite().all()

    def test_of_the_location_is_the_whole_way(self):
        method = make(target="location", steps=1)
        points, current = torch.full((1, 14, 2), 30.0), torch.full((1, 14, 2), 2.0)
        assert torch.allclose(method.target(points, current) * method.length, torch.full((1, 14, 2), 28.0))
        bounded = make().target(points, current)
        assert torch.allclose(bounded.norm(dim=-1), torch.ones(1, 14))


class TestPath:
    @given(point, point, st.floats(1, 20), st.integers(0, 12))
    def test_is_that_of_walking_it(self, start, target, length, taken):
        y0, y = (torch.tensor([[p]], dtype=torch.float64) for p in (start, target))
        walked = y0
        for _ in range(taken):
            walked = walked + bounded_correction(y, walked, length)
        jumped = ground_truth_path(y0, y, torch.tensor([taken]), length)
        torch.testing.assert_close(jumped, walked, rtol=1e-9, atol=1e-9)

    @given(point, point, st.floats(1, 20))
    def test_ends_exactly_on_the_target(self, start, target, length):
        y0, y = (torch.tensor([[p]], dtype=torch.float32) for p in (start, target))
        enough = math.ceil((y - y0).norm().item() / length) + 1
        assert torch.equal(ground_truth_path(y0, y, torch.tensor([enough]), length), y)

    def test_images_may_have_taken_different_numbers_of_steps(self):
        start, target = torch.zeros(3, 1, 2), torch.tensor([6.0, 8.0]).expand(3, 1, 2)
        path = ground_truth_path(start, target, torch.tensor([0, 1, 5]), 5.0)
        torch.testing.assert_close(path[:, 0], torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))


class TestCurriculum:
    def test_adds_a_step_every_quarter(self):
        stages = [stage(step / 12, 4) for step in range(12)]
        assert stages == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]

    def test_grows_as_the_papers_set_does(self):
        # N epochs of one sample an image, then of two, three and four
        assert [stage(step / 10, 4, growing=True) for step in range(10)] == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]
        assert stage(0.9999, 1, growing=True) == 1
        method, data = make(growing=True), tiny_data(8, size=36)
        assert [take_step(method, data, n, steps=10)["trained_steps"].item() for n in (0, 2, 5, 6)] == [1, 2, 3, 4]

    @pytest.mark.parametrize(("curriculum", "trained"), [(True, [1, 2, 3, 4]), (False, [4, 4, 4, 4])])
    def test_only_without_it_all_steps_are_trained_from_the_start(self, curriculum, trained):
        method, data = make(curriculum=curriculum), tiny_data(8, size=36)
        assert [take_step(method, data, n)["trained_steps"].item() for n in range(4)] == trained

    def test_its_first_stage_sees_the_mean_pose_alone(self, monkeypatch):
        method, data, seen = make(), tiny_data(8, size=36), []
        monkeypatch.setattr(method, "stack", lambda i, p, m: seen.append(p) or ErrorFeedback.stack(method, i, p, m))
        take_step(method, data, 0)
        take_step(method, data, 3)
        assert torch.equal(seen[0], method.mean_pose.expand(4, -1, -1))
        assert not torch.equal(seen[1], method.mean_pose.expand(4, -1, -1))


class TestMasking:
    def data(self):
        data = tiny_data(8, size=36)
        visible = data.visible.clone()
        visible[:, 3] = False
        points = data.points.clone()
        points[:, 3] = torch.nan
        return replace(data, points=points, visible=visible)

    @pytest.mark.parametrize("options", [{}, {"target": "location", "steps": 1}, {"path": "own"}])
    def test_a_joint_without_a_label_is_drawn_at_the_mean_pose_and_teaches_nothing(self, options, monkeypatch):
        method, data, seen = make(**options, augmentation=augment.NONE), self.data(), []
        method.prepare({"train": data})
        monkeypatch.setattr(method, "stack", lambda i, p, m: seen.append(p) or ErrorFeedback.stack(method, i, p, m))
        before = method.network.head[-1].bias.detach().clone()
        assert take_step(method, data, 3)["loss"].isfinite()
        change = (method.network.head[-1].bias.detach() - before).unflatten(0, (14, 2))
        assert not change[3].any() and change[:3].any()
        if options.get("path") != "own":
            assert torch.equal(seen[-1][:, 3], method.mean_pose[3].expand(4, 2))

    def test_nothing_labelled_gives_a_loss_of_zero_without_gradient(self):
        method = make()
        answer = torch.randn(2, 14, 2, requires_grad=True)
        points, hidden = torch.rand(2, 14, 2), torch.zeros(2, 14, dtype=torch.bool)
        loss = method.loss(answer, points, torch.zeros(2, 14, 2), hidden, hidden.sum())
        loss.backward()
        assert loss == 0 and not answer.grad.any()

    def test_processes_learn_together_what_one_would(self):
        method = make()
        answer, points, current = torch.rand(3, 4, 14, 2)
        visible = torch.ones(4, 14, dtype=torch.bool)
        visible[:2, 1:] = False
        whole = method.loss(answer, points, current, visible, visible.sum())
        shares = [
            method.loss(answer[part], points[part], current[part], visible[part], visible.sum() / 2)
            for part in (slice(0, 2), slice(2, 4))
        ]
        torch.testing.assert_close(torch.stack(shares).mean(), whole)

    def test_joints_outside_of_the_view_keep_their_labels(self):
        data = tiny_data(4)
        batch = data.batch(torch.arange(4))
        far = batch._replace(points=batch.points + 100)
        kept, dropped = (augment.apply(far, augment.still(4), (32, 32), LSP14, outside=o) for o in (True, False))
        assert kept.visible.all() and not dropped.visible.any()
        assert torch.equal(kept.points, dropped.points)


class TestMeanPose:
    def test_is_the_median_of_labels_and_of_their_mirror_images(self):
        data = tiny_data(9, size=36)
        plain = make(augmentation=augment.NONE)
        plain.prepare({"train": data})
        torch.testing.assert_close(plain.mean_pose, data.points.median(dim=0).values)
        both = make()
        both.prepare({"train": data})
        mirrored = torch.stack([36 - both.mean_pose[:, 0], both.mean_pose[:, 1]], dim=-1)[list(LSP14.flip)]
        # the lower of two middle values is taken, so a value may be one place off
        assert (mirrored - both.mean_pose).abs().mean() < 2

    def test_of_a_joint_that_nobody_labelled_is_the_middle(self):
        method, data = make(augmentation=augment.NONE), TestMasking().data()
        method.prepare({"train": data})
        assert method.mean_pose[3].tolist() == [16, 16] and method.mean_pose.isfinite().all()

    def test_is_measured_without_the_margin_and_survives_with_the_weights(self):
        data = replace(tiny_data(9, size=40), margin=4)
        method, other = make(augmentation=augment.NONE), make()
        method.prepare({"train": data})
        torch.testing.assert_close(method.mean_pose, data.points.median(dim=0).values - 4)
        other.load_state_dict(method.state_dict())
        assert torch.equal(other.mean_pose, method.mean_pose)


class TestAnswers:
    def images(self):
        return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def test_what_is_drawn(self):
        method, images = make(), self.images()
        points = torch.rand(3, 14, 2) * 60 - 14  # some outside
        stacked = method.stack(images, points, torch.full((3, 1, 2), 16.0))
        assert stacked.shape == (3, 18, 32, 32) and torch.equal(stacked[:, :3], images)
        expected = gaussian(points, (32, 32), 1, 3.2) - 0.5
        torch.testing.assert_close(stacked[:, 3:-1], expected)
        assert stacked[:, -1].max() > 0.45

    def test_a_trajectory_starts_at_the_mean_pose_and_adds_what_the_network_says(self, monkeypatch):
        method = make().eval()
        monkeypatch.setattr(method.network, "forward", lambda stacked: torch.ones(len(stacked), 14, 2))
        path = method.trajectory(self.images(), steps=6)
        assert path.shape == (7, 3, 14, 2)
        torch.testing.assert_close(path[0], method.mean_pose.expand(3, -1, -1))
        torch.testing.assert_close(path[6] - path[0], torch.full((3, 14, 2), 6 * method.length))
        points, scores = method.predict(self.images())
        assert torch.equal(points, path[4])
        torch.testing.assert_close(scores, torch.full((3, 14), math.exp(-math.sqrt(2))))

    def test_bytes_are_taken_from_their_middle(self):
        method = make().eval()
        stored = torch.randint(0, 256, (2, 3, 40, 40), dtype=torch.uint8)
        inner = stored[..., 4:36, 4:36].float() / 255
        assert torch.equal(method.trajectory(stored), method.trajectory(inner))

    def test_a_flip_test_makes_any_network_mirror_with_its_image(self):
        method, images = make().eval(), self.images()
        method.prepare({"train": tiny_data(8)})
        for weight in method.network.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        points, mirrored = method.predict(images, flip=True)[0], method.predict(images.flip(-1), flip=True)[0]
        mirrored = torch.stack([32 - mirrored[..., 0], mirrored[..., 1]], dim=-1)[:, list(LSP14.flip)]
        torch.testing.assert_close(points, mirrored, atol=1e-4, rtol=0)

    def test_heatmaps_are_the_answer_drawn(self):
        method, images = make().eval(), self.images()
        maps = method.heatmaps(images)
        assert maps.shape == (3, 14, 32, 32)
        torch.testing.assert_close(maps, gaussian(method.predict(images)[0], (32, 32), 1, 3.2))

    def test_joints_that_are_not_modelled_keep_the_mean_pose_and_are_not_shown(self):
        method = make(joints=("left_knee", "left_hip")).eval()
        for weight in method.network.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        points, _ = method.predict(self.images())
        moved = (points != method.mean_pose).any(dim=-1).all(dim=0)
        assert [LSP14.joints[k] for k in moved.nonzero().flatten()] == ["left_hip", "left_knee"]
        assert method.stack(self.images(), points, points[:, :1]).shape[1] == 3 + 2 + 1


@pytest.mark.parametrize(
    "options",
    [{}, {"curriculum": False}, {"path": "own"}, {"target": "location", "path": "own"}, {"joints": ("neck",)}],
)
def test_a_step_follows_from_its_number(options):
    data = tiny_data(8, size=36)
    first, again = make(**options), make(**options)
    report, same = take_step(first, data, 3), take_step(again, data, 3)
    assert report == same and report["loss"].isfinite() and first.network.training
    weights = zip(first.network.parameters(), again.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_takes_over_the_encoder_of_a_pose_network():
    source, method = tiny_method(), make()
    wide = method.network.stem[0].weight.detach().clone()
    method.start_from([source])
    assert torch.equal(method.network.stem[0].weight[:, :3], source.network.stem[0].weight)
    assert torch.equal(method.network.stem[0].weight[:, 3:], wide[:, 3:])
    assert torch.equal(method.network.down[0][0][0].weight, source.network.down[0][0][0].weight)
    again = make()
    again.start_from([method])
    learned = method.network.state_dict()
    assert all(torch.equal(value, learned[name]) for name, value in again.network.state_dict().items())
    stranger = tiny_method()
    stranger.network = torch.nn.Linear(2, 2)
    with pytest.raises(UserError, match="can take over nothing of this start"):
        make().start_from([stranger])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "there"}, "target must be"),
        ({"path": "long"}, "path must be"),
        ({"target": "location"}, "needs path 'own' or steps 1"),
        ({"steps": 0}, "at least 1"),
        ({"joints": ("tail",)}, "has no tail"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_another_network_is_refused():
    assert find("error_feedback") is ErrorFeedback
    with pytest.raises(ValueError, match="needs the network 'feedback', not 'small'"):
        ErrorFeedback(Options(), Setting(LSP14, (32, 32)))
