"""Two papers in one training: each combination does what both of its parts do."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.optim import SGD
from torch.testing import assert_close

from posenb import augment
from posenb.heatmaps import gaussian
from posenb.methods import adversarial_augmentation, find, stable_heatmaps
from posenb.methods.combined import (
    StableAdversarialAugmentation,
    StableAdversarialOptions,
    StableSemiSupervised,
    StableSemiSupervisedOptions,
)
from posenb.methods.semi_supervised.detector import NEW_HEAD
from posenb.methods.stable_heatmaps import StableHeatmaps
from posenb.step import Budget, Step, seeded
from tests.adversaries import FABRIC, SETTING, a_pair, made, pretraining, sample_of, state, tiny_like
from tests.tiny import tiny_data

KINDS = [{}, {"mst": True}, {"hdhr": True, "mst": True}, {"rcc": True, "hdhr": True, "mst": True}, {"rival": "augmix"}]


def stable(**options):
    return stable_heatmaps.Options(**options)


def semi(of=None, scheme="dual", **options):
    return StableSemiSupervised(StableSemiSupervisedOptions(scheme=scheme, stable=of or stable(), **options), SETTING)


def adversarial(of=None, **options):
    made = StableAdversarialOptions(stable=of or stable(), pretrained=False, **options)
    return StableAdversarialAugmentation(made, SETTING)


def a_step(method, number=1, batch=6):
    weights = {"network": SGD(method.parameters(), 0.1)}
    weights |= {name: SGD(agent.parameters(), 0.1) for name, agent in getattr(method, "agents", {}).items()}
    return Step(number, Budget(steps=4, batch=batch, precision="32-true"), 0, FABRIC, weights)


def parts(unlabelled=None):
    return {"train": tiny_data(12, size=40), "unlabelled": unlabelled or tiny_data(12, size=40, seed=1)}


class Given(torch.nn.Module):
    """A network that answers these maps."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps

    def forward(self, images):
        return [self.maps]


def test_are_registered():
    assert find("stable_semi_supervised") is StableSemiSupervised
    assert find("stable_adversarial_augmentation") is StableAdversarialAugmentation


@pytest.mark.parametrize("options", KINDS, ids=str)
class TestAgainstItsParts:
    def test_without_unlabelled_images_it_is_stable_heatmap_regression(self, options):
        """A step on labels alone leaves the same weights, to the last bit."""
        alone, inside = StableHeatmaps(stable(**options), SETTING), semi(stable(**options), "supervised")
        assert_close(alone.network.state_dict(), inside.network.state_dict(), rtol=0, atol=0)
        for method in (alone, inside):
            method.train().train_step(a_step(method), parts())
        assert_close(alone.network.state_dict(), inside.network.state_dict(), rtol=0, atol=0)

    def test_a_view_that_hides_nothing_is_learned_as_stable_heatmap_regression_does(self, options):
        alone, inside = StableHeatmaps(stable(**options), SETTING), adversarial(stable(**options), agents="asr")
        sample = sample_of(tiny_data(4))
        step = a_step(inside)
        loss, report = inside.learn(step, adversarial_augmentation.joint.View(sample, []))
        copies = alone.objective.copies(sample.images, seeded(step.seed, 2, step.number, 0))
        seen = torch.cat([sample.images, *copies])
        expected, same = alone.objective.learn(alone.objective.enlarge(alone.network(seen)), sample, step.progress)
        assert_close(loss, expected)
        assert_close(report, same)

    def test_answers_are_those_of_stable_heatmap_regression(self, options):
        images = tiny_data(3).images
        alone = StableHeatmaps(stable(**options), SETTING).eval()
        for method in (semi(stable(**options)).eval(), adversarial(stable(**options)).eval()):
            method.network.load_state_dict(alone.network.state_dict())
            for flip in (False, True):
                assert_close(method.predict(images, flip), alone.predict(images, flip), rtol=0, atol=0)
            assert method.heatmaps(augment.center(images, (32, 32))).shape == (3, 14, 32, 32)

    def test_every_network_learns(self, options):
        for method in (semi(stable(**options)), adversarial(stable(**options))):
            before = copy.deepcopy(method.state_dict())
            report = method.train().train_step(a_step(method, batch=9), parts())
            assert all(value.isfinite() for value in report.values())
            names = {name.partition(".")[0] for name, _ in method.named_parameters()}
            moved = {
                name.partition(".")[0] for name, value in method.named_parameters() if (value != before[name]).any()
            }
            assert moved == names

    def test_difficulty_is_zero_at_the_target_alone(self, options):
        objective = stable_heatmaps.StableObjective(stable(**options), (32, 32))
        sample = sample_of(tiny_data(5))
        target = objective.target(sample)
        best = target
        if options.get("rcc"):
            pytest.skip("nothing but a single Gaussian near the diagonal comes back from RCC as it was")
        if options.get("hdhr"):
            best = target.clamp(min=1e-30).log()
        assert objective.difficulty([best], sample).abs().max() < 1e-4
        worse = objective.difficulty([torch.zeros_like(best)], sample)
        assert worse.min() > 1e-3
        # a joint out of view makes no image easier
        some = sample._replace(visible=sample.visible & (torch.arange(14) % 2 == 0))
        read = torch.zeros_like(best)
        expected = objective.loss([read[:1]], replace_rows(some, 1)) * 2
        least = objective.loss([best[:1]], replace_rows(some, 1)) * 2
        assert_close(objective.difficulty([read], some)[0], expected - least, rtol=1e-4, atol=1e-6)


def replace_rows(sample, count):
    return type(sample)(*(part[:count] for part in sample))


class TestSemiSupervised:
    def test_never_reads_a_label_of_an_unlabelled_image(self):
        plain = tiny_data(12, size=40, seed=1)
        hidden = torch.zeros_like(plain.visible)
        poisoned = replace(plain, points=plain.points * float("nan"), visible=hidden)
        found = []
        for unlabelled in (plain, poisoned):
            method = semi(stable(mst=True), cutout=2).train()
            method.train_step(a_step(method), parts(unlabelled))
            found.append(state(method))
        assert_close(*found, rtol=0, atol=0)

    def test_students_start_from_two_runs_with_heads_of_their_own(self):
        sources = [tiny_like(seed) for seed in (3, 4)]
        method = semi()
        method.start_from(sources)
        for student, source in zip(method.students, sources, strict=True):
            own, learned = student.state_dict(), source.network.state_dict()
            assert all(torch.equal(own[name], learned[name]) for name in learned if not name.startswith("head"))
            assert own["head.weight"].abs().max() < 0.01
        # what goes on from a run with stable heatmaps keeps its heads
        further = semi()
        further.start_from([method, method])
        assert torch.equal(further.network.head.weight, method.network.head.weight)
        assert (method.detector.start, further.detector.start) == (NEW_HEAD, 1)

    @pytest.mark.parametrize("options", [{"mst": True}, {"mst": True, "hdhr": True}, {"rcc": True}])
    def test_what_is_taught_has_peaks_of_about_one(self, options):
        """Whatever the maps mean: the squares of a softmax's probabilities would weigh nothing beside labels."""
        method = semi(stable(**options), "consistency")
        raw = gaussian(torch.full((1, 14, 2), 16.0), method.setting.size, 1, 3.0)
        maps = method.maps(a_step(method), Given(raw), torch.rand(1, 3, *method.setting.size))[0]
        assert maps.amax(dim=(-2, -1)).flatten().tolist() == pytest.approx([1.0] * 14, abs=0.1)

    def test_a_mean_teacher_starts_as_its_student(self):
        method = semi(scheme="mean_teacher")
        method.start_from([tiny_like()])
        assert_close(method.teacher.state_dict(), method.network.state_dict(), rtol=0, atol=0)

    def test_what_cannot_be_combined_is_refused(self):
        with pytest.raises(ValueError, match="'pseudo' teaches Gaussians; choose consistency"):
            semi(scheme="pseudo")
        for kind in (semi, adversarial):
            with pytest.raises(ValueError, match="'lipschitz' trains by itself"):
                kind(stable(rival="lipschitz"))


class TestAdversarial:
    def test_takes_over_agents_and_body(self):
        source = pretraining()
        method = StableAdversarialAugmentation(StableAdversarialOptions(), SETTING)
        method.start_from([source])
        for name, agent in method.agents.items():
            assert_close(agent.state_dict(), source.agents[name].state_dict(), rtol=0, atol=0)
        own, learned = method.network.state_dict(), source.network.state_dict()
        assert all(torch.equal(own[name], learned[name]) for name in learned if not name.startswith("head"))
        assert own["head.weight"].abs().max() < 0.01

    def test_copies_are_masked_as_their_images(self, monkeypatch):
        """With copies that are the images, stability costs nothing, though cells are hidden."""
        method = adversarial(stable(mst=True)).eval()
        monkeypatch.setattr(method.objective, "copies", lambda images, generator: [images])
        step, _, _, pair = a_pair(method, tiny_data(18, size=48))
        _, report = method.learn(step, pair.adversarial)
        assert min(mask.min() for mask in pair.adversarial.masks) == 0
        assert report["stability"] == pytest.approx(0, abs=1e-10)

    def test_the_harder_of_a_pair_is_judged_by_the_objective(self):
        method = adversarial(stable(hdhr=True))
        step, _, _, pair = a_pair(method, tiny_data(18, size=48))
        found = method.harder(step, pair)
        with adversarial_augmentation.judging(method.network):
            ours, theirs = (
                method.objective.difficulty(method.run(step, view), view.sample)
                for view in (pair.adversarial, pair.reference)
            )
        assert torch.equal(found, ours > theirs)
        assert (
            made(StableAdversarialAugmentation, comparison="pck", pretrained=False).harder(step, pair).dtype
            == torch.bool
        )
