"""What discriminators and poses are measured by: damages by hand, areas under curves, and the claims at smoke."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from posenb import claims, runs
from posenb.errors import UserError
from posenb.experiments import accuracy
from posenb.experiments import self_adversarial as judging
from posenb.experiments.self_adversarial_claims import before_balance, last_third
from posenb.experiments.self_adversarial_specs import NAMES, specs
from posenb.heatmaps import gaussian
from posenb.skeletons import LSP14
from tests.tiny import tiny_data, tiny_spec


@pytest.fixture
def pose(generator):
    """Points ``(20, 14, 2)``, visible but for a few, reference ``(20,)``."""
    visible = torch.rand(20, 14, generator=generator) > 0.2
    visible[0] = False
    return torch.rand(20, 14, 2, generator=generator) * 30, visible, torch.full((20,), 12.0)


def test_one_labelled_joint_is_displaced_by_half_a_reference(pose, generator):
    points, visible, reference = pose
    damaged = judging.displace(points, visible, reference, generator)
    moved = (damaged.points - points).norm(dim=-1)
    assert torch.equal(moved > 0, damaged.wrong) and (damaged.wrong & ~visible).sum() == 0
    assert damaged.wrong.sum(dim=1).tolist() == [0] + [1] * 19
    torch.testing.assert_close(moved[damaged.wrong], torch.full((19,), 6.0))


def test_one_labelled_pair_is_exchanged(pose, generator):
    points, visible, _ = pose
    damaged = judging.swap_sides(points, visible, LSP14.flip, generator)
    assert damaged.wrong[0].sum() == 0 and set(damaged.wrong.sum(dim=1).tolist()) <= {0, 2}
    for image, (first, second) in ((i, w.nonzero().flatten().tolist()) for i, w in enumerate(damaged.wrong) if w.any()):
        assert LSP14.flip[first] == second and visible[image, [first, second]].all()
        assert torch.equal(damaged.points[image, [first, second]], points[image, [second, first]])
    assert torch.equal(damaged.points[~damaged.wrong], points[~damaged.wrong])


@pytest.mark.parametrize("error", [0.0, 0.1, 0.7, 1.9])
def test_a_gaussian_moved_this_far_has_this_error(error):
    sigma = 1.5
    distance = judging.equal_error_distance(torch.tensor(error), sigma).item()
    at = torch.tensor([[[20.0, 20.0], [20.0 + distance * 0.6, 20.0 - distance * 0.8]]])
    one, two = gaussian(at, (40, 40), 1, sigma)[0]
    assert ((one - two).square().sum() / (math.pi * sigma**2)).item() == pytest.approx(error, abs=0.01)


def test_areas_under_the_curve_by_hand():
    score = torch.tensor([[3.0, 1.0, 2.0], [1.0, 1.0, math.nan], [1.0, 2.0, 3.0]])
    wrong = torch.tensor([[True, False, False], [True, False, True], [False, False, False]])
    found = judging.within_image_auc(score, wrong)
    assert found[:2].tolist() == [1.0, 0.5] and math.isnan(found[2])
    false, true = judging.roc(torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([True, False, True, False]))
    assert false.tolist() == [0, 0, 0.5, 0.5, 1] and true.tolist() == [0, 0.5, 0.5, 1, 1]


def test_the_most_trusted_answers_come_first():
    shares, errors = judging.coverage(torch.tensor([4.0, 1.0, math.nan, 3.0]), torch.tensor([9.0, 0.0, 1.0, 5.0]))
    assert shares.tolist() == pytest.approx([1 / 3, 2 / 3, 1]) and errors.tolist() == pytest.approx([1, 2, 8 / 3])


def test_covers_are_of_other_pictures_and_hide_joints(generator):
    data = tiny_data(6)
    images = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 32, 32).clone()
    covered = judging.cover(images, data.points, data.visible, generator)
    changed = covered != images
    assert torch.equal(covered[changed], images.roll(1, dims=0)[changed])
    share = changed[:, 0].double().mean(dim=(1, 2))
    assert (share > 0.04).all() and (share <= 3 * 0.1).all()
    at = data.points.long().clamp(0, 31)
    hidden = changed[torch.arange(6)[:, None], 0, at[..., 1], at[..., 0]].sum(dim=1)
    assert (hidden >= judging.COVERS).all()


def test_rows_of_a_history():
    history = pd.DataFrame({"step": range(1, 13)})
    assert before_balance(history, 0.5)["step"].tolist() == [4, 5, 6]
    assert before_balance(history, 0.0)["step"].tolist() == [1]
    assert last_third(history)["step"].tolist() == [9, 10, 11, 12]


def test_runs_of_a_seed_differ_in_one_thing():
    found = specs("full", "body", 3)
    assert tuple(found) == NAMES and len({spec.key for spec in found.values()}) == len(NAMES)
    base = found["sat"]
    for spec in found.values():
        assert replace(spec, options=base.options) == base
    for name in NAMES[1:]:
        changed = {
            key for key in base.options | found[name].options if base.options.get(key) != found[name].options.get(key)
        }
        assert len(changed) == (name != "sat"), name


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(tmp_path_factory.mktemp("home")))
        spec = tiny_spec(steps=2, method="self_adversarial")
        options = {"discriminator_options": {"widths": [8, 8]}, "k": 0.5}
        yield [runs.train(replace(spec, options=o), device="cpu") for o in (options, {"adversary": False})]


class TestOnRuns:
    def test_a_judgement_is_kept_image_by_image(self, both):
        found = judging.judgement(both[0], 6)
        assert found.real.shape == found.generated.shape == found.damaged.shape == (6,)
        for name in (*judging.DAMAGES, "answers"):
            assert found.score[name].shape == found.wrong[name].shape == (6, 16)
            assert found.score[name][found.wrong[name]].isfinite().all()
        again = judging.judgement(both[0], 6)
        assert np.array_equal(found.damaged, again.damaged)

    def test_a_run_without_a_discriminator_cannot_judge(self, both):
        with pytest.raises(UserError, match="has no discriminator"):
            judging.judgement(both[1])

    def test_poses_of_any_run(self, both):
        for run in both:
            found = judging.poses(run, 6)
            assert found.pck.shape == found.odd.shape == (6,) and set(found.summary()) == set(vars(found))
            assert np.nanmax(found.pck) <= 1 and np.nanmin(found.swapped) >= 0
            # the answers that the run was tested with, and those of now
            right = accuracy.right(run.predictions.points, run.spec.data.load("final"))[:6]
            assert found.pck == pytest.approx(np.nanmean(right, axis=1))


def test_every_claim_names_a_function_with_a_statistic():
    mine = [claim for claim in claims.CLAIMS.values() if claim.id.startswith("SAT")]
    assert [claim.id for claim in mine] == ["SAT-1", "SAT-2", "SAT-3", "SAT-4"]
    assert all(len(claim.statistic) > 60 and callable(claim.measure) for claim in mine)


@pytest.mark.slow
@pytest.mark.parametrize("identifier", ["SAT-1", "SAT-2", "SAT-3", "SAT-4"])
def test_claims_are_measured_at_smoke(identifier, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path_factory.getbasetemp() / "smoke"))
    record = claims.measure(identifier, "smoke", "body", (0,), "cpu")
    assert np.isfinite(record["mean"]) and record["verdict"] == "not judged"
