"""Semi-supervised training: who teaches whom, what is taught, and what nobody may read."""

import warnings
from dataclasses import replace

import pytest
import torch
from torch.optim import SGD

from posenb import augment, runs
from posenb.errors import UserError
from posenb.methods import find
from posenb.methods.base import Setting
from posenb.methods.semi_supervised import SCHEMES, Options, SemiSupervised, consistency_loss, lesson
from posenb.methods.semi_supervised.detector import NEW_HEAD
from posenb.skeletons import LSP14, MPII16
from posenb.spec import Budget, Data
from posenb.step import Step
from posenb.training import make_fabric
from tests.tiny import NETWORK, tiny_data, tiny_method, tiny_spec

FABRIC = make_fabric("32-true", "cpu")
NARROW = augment.Family(rotation=10, scale=0.1, flip=0)
# batch normalisation, so that a network that should only answer could be caught learning statistics
SETTING = Setting(LSP14, (32, 32), "small", {"widths": (8, 16)})


def make(scheme="consistency", setting=SETTING, **options):
    return SemiSupervised(Options(scheme=scheme, **options), setting)


def a_step(method, number=0, batch=4, lr=0.1):
    weights = [w for student in method.students for w in student.parameters()]
    return Step(number, Budget(steps=4, batch=batch), 0, FABRIC, {"network": SGD(weights, lr)})


def parts(unlabelled=None):
    return {"train": tiny_data(8, size=40), "unlabelled": unlabelled or tiny_data(12, size=40, seed=1)}


def copy_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def moved(before, network, only="weight"):
    return any(not torch.equal(before[name], value) for name, value in network.named_parameters())


def test_is_registered():
    assert find("semi_supervised") is SemiSupervised


@pytest.mark.parametrize("scheme", SCHEMES)
def test_unlabelled_images_leave_running_statistics_alone_where_asked(scheme):
    after = {}
    for name, options in (("none", {"weight": 0.0}), ("labelled", {"statistics": "labelled"}), ("all", {})):
        method = make(scheme, **options).train()
        report = method.train_step(a_step(method), parts())
        state = {key: value for key, value in method.state_dict().items() if not key.startswith("detector")}
        buffers = {key: value for key, value in state.items() if "running" in key or "batches" in key}
        after[name] = buffers, [weight for key, weight in state.items() if key not in buffers], report
        assert all(layer.track_running_stats for layer in method.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    equal = {
        name: all(torch.equal(after[name][0][key], value) for key, value in after["none"][0].items())
        for name in ("labelled", "all")
    }
    assert equal["labelled"] and equal["all"] == (scheme == "supervised")
    # training itself is the same, to the last bit
    assert after["labelled"][2] == after["all"][2]
    assert all(torch.equal(a, b) for a, b in zip(after["labelled"][1], after["all"][1], strict=True))


@pytest.mark.parametrize("scheme", SCHEMES)
class TestEveryScheme:
    def test_learns_in_a_step_that_follows_from_its_number(self, scheme):
        reports, weights = [], []
        for _ in range(2):
            method = make(scheme, cutout=2, magnitude=20).train()
            before = [copy_of(student) for student in method.students]
            reports.append(method.train_step(a_step(method, 3), parts()))
            weights.append(copy_of(method))
            assert all(moved(old, student) for old, student in zip(before, method.students, strict=True))
        assert reports[0] == reports[1] and all(value.isfinite() for value in reports[0].values())
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])

    def test_never_reads_a_label_of_an_unlabelled_image(self, scheme):
        """Poisoned: NaN for points, no joint visible, and all of them. Not a bit may change."""
        plain = tiny_data(12, size=40, seed=1)
        nowhere = torch.full_like(plain.points, float("nan"))
        hidden = torch.zeros_like(plain.visible)
        poisoned = replace(plain, points=nowhere, visible=hidden, reference=plain.reference * float("nan"))
        found = []
        for unlabelled in (plain, poisoned):
            method = make(scheme, cutout=2, magnitude=20).train()
            report = method.train_step(a_step(method), parts(unlabelled))
            found.append((report, copy_of(method)))
        (clean, before), (report, after) = found
        assert report == clean and all(torch.equal(before[name], after[name]) for name in before)

    def test_sees_the_same_labelled_images_as_every_other(self, scheme, monkeypatch):
        seen = []
        original = augment.apply

        def watch(*arguments):
            seen.append(original(*arguments))
            return seen[-1]

        monkeypatch.setattr(augment, "apply", watch)
        for name in (scheme, "supervised"):
            method = make(name)
            method.train_step(a_step(method, 2), parts())
        first, other = seen[0], seen[-1]  # 'supervised' opens no view
        assert torch.equal(first.images, other.images) and torch.equal(first.points, other.points)

    def test_unlabelled_images_may_be_more_and_of_another_joint_set(self, scheme):
        other = tiny_data(12, size=40, seed=1)
        points = torch.cat([other.points, other.points[:, :2]], dim=1)
        ones = torch.ones(12, 16, dtype=torch.bool)
        other = replace(other, points=points, visible=ones, occluded=~ones, skeleton=MPII16)
        method = make(scheme, ratio=2.5).train()
        report = method.train_step(a_step(method), parts(other))
        assert ("response" in report) == (scheme != "supervised")


class TestTeachers:
    def test_are_not_taught(self):
        """The unlabelled loss of a student has no gradient in its teacher."""
        for scheme in ("dual", "mean_teacher", "pseudo", "distill"):
            method = make(scheme).train()
            stored = parts()["unlabelled"].images[:4]
            step = a_step(method)
            easy, hard = step.draw(method.options.easy), step.draw(method.options.hard)
            views = method.open(stored, easy), method.open(stored, hard)
            teacher, student = method.teachers[0], method.students[0]
            maps = method.teach(step, teacher, stored, views[0])
            taught = method.lesson(maps, stored, easy, hard)
            assert not maps.requires_grad and not taught.maps.requires_grad
            consistency_loss(step.forward(student, views[1].images), taught).backward()
            assert all(weight.grad is None for weight in teacher.parameters()), scheme
            assert any(weight.grad is not None and weight.grad.any() for weight in student.parameters())

    def test_one_that_teaches_itself_learns_from_the_hard_view_alone(self):
        method = make("consistency").train()
        step, stored = a_step(method), parts()["unlabelled"].images[:4]
        view = method.open(stored, step.draw(method.options.easy))
        assert not method.teach(step, method.network, stored, view).requires_grad

    def test_of_two_networks_each_is_taught_by_the_other_only(self, monkeypatch):
        method = make("dual").train()
        taught_by = []
        original = SemiSupervised.teach

        def watch(self, step, teacher, *rest):
            taught_by.append(teacher)
            return original(self, step, teacher, *rest)

        monkeypatch.setattr(SemiSupervised, "teach", watch)
        method.train_step(a_step(method), parts())
        assert taught_by[0] is method.other and taught_by[1] is method.network

        # what the first network learns does not change with the second one's weights but through its answers
        gradients = []
        for scale in (1.0, 1.5):
            method = make("dual", weight=1.0)
            with torch.no_grad():
                for weight in method.other.head.parameters():
                    weight.mul_(scale)
            step = a_step(method.train())
            loss, _ = method.unlabelled_loss(step, parts()["unlabelled"])
            loss.backward()
            gradients.append([weight.grad.clone() for weight in method.network.parameters()])
        assert any(not torch.equal(a, b) for a, b in zip(*gradients, strict=True))

    def test_two_networks_start_from_two_runs(self):
        sources = [tiny_like(make("supervised", setting=replace(SETTING, seed=s))) for s in (3, 4)]
        method = make("dual")
        method.start_from(sources)
        for student, source in zip(method.students, sources, strict=True):
            assert all(torch.equal(v, source.network.state_dict()[n]) for n, v in student.state_dict().items())
        with pytest.raises(UserError, match="starts from two runs"):
            make("dual").start_from(sources[:1])
        assert method.detector.start == 1  # their answers can be forgotten at once

    def test_another_methods_head_is_not_taken_over(self):
        source = tiny_method()
        method = make("mean_teacher", setting=Setting(LSP14, (32, 32), "small", NETWORK))
        method.start_from([source])
        # what a new head says is taught at once: it must say next to nothing
        maps = method.eval().heatmaps(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
        assert 0 < maps.abs().max() < 0.2
        assert method.detector.start == NEW_HEAD
        assert torch.equal(method.teacher.head.weight, method.network.head.weight)
        assert torch.equal(method.network.stem[0].weight, source.network.stem[0].weight)
        assert torch.equal(method.teacher.stem[0].weight, source.network.stem[0].weight)

    @pytest.mark.parametrize("scheme", ["pseudo", "distill"])
    def test_a_frozen_teacher_is_a_run_that_has_learned_its_kind_of_maps(self, scheme):
        here = Setting(LSP14, (32, 32), "small", NETWORK)
        method = make(scheme, setting=here)
        for refused in (lambda: method.prepare(parts()), lambda: method.start_from([tiny_method()])):
            with pytest.raises(UserError, match="with scheme=supervised first, and give that as start"):
                refused()
        source = make("supervised", setting=here)
        method.start_from([source])
        method.prepare(parts())
        assert torch.equal(method.teacher.head.weight, source.network.head.weight)

    @pytest.mark.parametrize("scheme", ["pseudo", "distill"])
    def test_a_frozen_teacher_stays(self, scheme):
        method = make(scheme).train()
        before = copy_of(method.teacher)
        method.train_step(a_step(method), parts())
        assert all(torch.equal(before[name], value) for name, value in method.teacher.state_dict().items())
        assert not method.teacher.training and method.network.training

    def test_the_mean_teacher_moves_by_its_share(self):
        method = make("mean_teacher", decay=0.75).train()
        before = copy_of(method.teacher)
        method.train_step(a_step(method), parts())
        now = method.network.state_dict()
        for name, value in method.teacher.state_dict().items():
            if value.is_floating_point():
                torch.testing.assert_close(value, 0.75 * before[name] + 0.25 * now[name])
            else:
                assert torch.equal(value, now[name])

    def test_weight_zero_teaches_nothing(self):
        plain, idle = make("supervised").train(), make("consistency", weight=0.0).train()
        alone = {"train": parts()["train"]}  # nor does it need unlabelled images
        for method in (plain, idle):
            method.prepare(alone)
            assert "response" not in method.train_step(a_step(method), alone)
        pairs = zip(plain.network.parameters(), idle.network.parameters(), strict=True)
        assert all(torch.allclose(a, b, atol=1e-7) for a, b in pairs)


def tiny_like(method):
    return method.eval()


class TestLessons:
    SIZES = ((40, 40), (32, 32))

    def peaked(self, points):
        from posenb.heatmaps import gaussian

        return gaussian(points, (16, 16), 2, 1.5)

    @pytest.mark.parametrize("sigma", [None, 1.5])
    def test_joints_that_leave_the_view_are_not_taught(self, sigma):
        easy, hard = augment.still(1), augment.still(1)
        hard.shift[:] = torch.tensor([0.25, 0.0])  # 8 pixels to the right
        points = torch.full((1, 14, 2), 16.0)
        points[0, 0] = torch.tensor([29.0, 16.0])  # leaves at the right
        taught = lesson(self.peaked(points), easy, hard, *self.SIZES, LSP14, sigma=sigma)
        assert not taught.counted[0, 0].any() and taught.counted[0, 1:, :, 5:].all()
        # what the teacher does not see at all is at the left; labels say where the joint is, not what is at the left
        assert taught.counted[0, 1, :, :3].any() == (sigma is not None)
        unmasked = lesson(self.peaked(points), easy, hard, *self.SIZES, LSP14, mask=False, sigma=sigma)
        assert unmasked.counted.all() and unmasked.maps[0, 0].max() < 0.2

    def test_the_student_who_agrees_has_no_loss(self, generator):
        drawn = [augment.draw(6, augment.Family(rotation=40), generator) for _ in range(2)]
        maps = torch.rand(6, 14, 16, 16, generator=generator)
        taught = lesson(maps, *drawn, *self.SIZES, LSP14)
        wrong_where_nobody_knows = torch.where(taught.counted, taught.maps, 7.0)
        assert consistency_loss([wrong_where_nobody_knows], taught) == 0
        assert consistency_loss([taught.maps + 1], taught) > 0

    def test_points_are_where_the_maps_have_their_peaks(self, generator):
        drawn = [augment.draw(20, NARROW, generator) for _ in range(2)]
        drawn[1].flip[:10] = True
        points = torch.rand(20, 14, 2, generator=generator) * 12 + 10
        taught = lesson(self.peaked(points), *drawn, *self.SIZES, LSP14)
        from posenb.heatmaps import decode

        found, _ = decode(taught.maps, 2, "argmax")
        assert (found - taught.points).norm(dim=-1).max() < 2.9  # a pixel and a half of the map

    def test_labels_are_gaussians_of_height_one_at_the_points(self):
        drawn = [augment.still(1) for _ in range(2)]
        maps = 0.1 * self.peaked(torch.full((1, 14, 2), 17.0))  # the centre of a map pixel
        taught = lesson(maps, *drawn, *self.SIZES, LSP14, sigma=1.5)
        assert taught.maps.amax(dim=(-2, -1)).flatten().tolist() == pytest.approx([1] * 14)
        torch.testing.assert_close(taught.points, torch.full((1, 14, 2), 17.0))

    def test_distill_of_a_network_that_is_always_right_is_what_it_says(self):
        """Maps of four views, carried back and averaged, have their peak where one view has it."""
        method = make("distill", setting=Setting(LSP14, (32, 32), "small", NETWORK))
        data = parts()["unlabelled"]
        stored = data.images[:3]

        class Oracle(torch.nn.Module):
            """Answers the brightness of the red channel, which mirroring and turning move along."""

            def forward(self, images):
                bright = torch.nn.functional.avg_pool2d(images[:, :1], 2)
                return [bright.expand(-1, 14, -1, -1)]

        step = a_step(method)
        view = method.open(stored, augment.still(3))
        plain = Oracle()(view.images)[0]
        mean = method.teach(step, Oracle(), stored, view)
        inner = (..., slice(5, 11), slice(5, 11))
        assert (mean[inner] - plain[inner]).abs().mean() < 0.35 * plain[inner].std()


class TestOptions:
    @pytest.mark.parametrize(
        "options, message",
        [
            ({"scheme": "magic"}, "scheme must be one of"),
            ({"statistics": "some"}, "statistics must be one of all, labelled"),
            ({"weight": -1.0}, "weight must be 0 or more"),
            ({"ratio": 0.0}, "ratio above 0"),
            ({"magnitude": 31}, "magnitude 0 to 30"),
            ({"decay": 1.0}, "decay must lie in"),
        ],
    )
    def test_what_cannot_be_is_refused(self, options, message):
        with pytest.raises(ValueError, match=message):
            Options(**options)

    def test_more_patches_than_joints_are_refused(self):
        with pytest.raises(ValueError, match="cutout must be at most the 14 joints"):
            make("dual", cutout=15)

    def test_without_unlabelled_images_it_says_what_to_do(self):
        with pytest.raises(UserError, match="set the data's `unlabelled`"):
            make("dual").prepare({"train": tiny_data(4)})
        make("supervised").prepare({"train": tiny_data(4)})


def test_a_run_that_was_killed_ends_with_the_same_numbers(tmp_path, monkeypatch):
    spec = replace(
        tiny_spec(steps=6, method="semi_supervised"),
        options={"scheme": "mean_teacher", "cutout": 2, "magnitude": 10, "easy": {"rotation": 5.0}},
        data=Data("body", train=16, test=8, monitor=8, unlabelled=24, size=32, margin=0),
    )
    stored = []
    for name, stop in (("whole", None), ("killed", 3)):
        monkeypatch.setenv("POSENB_HOME", str(tmp_path / name))
        if stop is not None:
            original = SemiSupervised.train_step

            def fail(self, step, data, original=original, stop=stop):
                if step.number == stop:
                    raise KeyboardInterrupt
                return original(self, step, data)

            monkeypatch.setattr(SemiSupervised, "train_step", fail)
            with pytest.raises(KeyboardInterrupt):
                runs.train(spec, device="cpu", checkpoint_seconds=0)
            monkeypatch.setattr(SemiSupervised, "train_step", original)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a detector may well sound in six steps
            stored.append(runs.train(spec, device="cpu", checkpoint_seconds=0))
    whole, resumed = (run.method.state_dict() for run in stored)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert int(whole["detector.steps"]) == 6
