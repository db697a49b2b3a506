"""What the tests of adversarial augmentation share: small methods, a step, a pair."""

from __future__ import annotations

from dataclasses import replace

import torch

from posenb import augment
from posenb.methods.adversarial_augmentation import AdversarialAugmentation, AdversarialPretraining
from posenb.methods.adversarial_augmentation.joint import Noise
from posenb.methods.base import Setting
from posenb.skeletons import LSP14
from posenb.step import Budget, Step
from posenb.training import make_fabric
from tests.tiny import tiny_method

BATCH = 9
# batch normalisation, so that a network that should only judge could be caught learning
SETTING = Setting(LSP14, (32, 32), "small", {"widths": (8, 16, 16)})
FABRIC = make_fabric("32-true", "cpu")


def made(kind, **options):
    return kind(kind.options_type(**options), SETTING)


def joint(**options):
    return made(AdversarialAugmentation, pretrained=False, **options)


def pretraining(**options):
    method = made(AdversarialPretraining, **options)
    method.start_from([tiny_like()])
    return method


def tiny_like(seed=3):
    """A pose network to start from."""
    method = tiny_method(loss="mse")
    method.network = replace(SETTING, seed=seed).create_network()
    return method


def a_step(method, number=0, batch=BATCH):
    return Step(number, Budget(steps=4, batch=batch, precision="32-true"), 0, FABRIC, method.optimizers())


def a_pair(method, data):
    step = a_step(method)
    shares = method.shares(step)
    used = shares > 0
    batch, drawn = step.batch(data), step.draw(method.options.augmentation)
    noise = Noise(*(part[used] for part in method.noise(step)))
    part = type(batch)(*(field[used] for field in batch))
    return step, part, drawn[used], method.pair(step, part, drawn[used], noise, shares[used])


def state(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def same(before, network):
    return all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def sample_of(data):
    return augment.apply(data.batch(torch.arange(len(data))), augment.still(len(data)), (32, 32), data.skeleton)


class Ranked:
    """One of several processes."""

    def __init__(self, rank, world):
        self.global_rank, self.world_size, self.device = rank, world, torch.device("cpu")
        self.autocast = FABRIC.autocast
