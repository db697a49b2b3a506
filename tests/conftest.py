"""What the tests share."""

import pytest
import torch
from hypothesis import settings

# the same examples at every run, on machines of any speed
settings.register_profile("posenb", deadline=None, derandomize=True, max_examples=25, database=None)
settings.load_profile("posenb")


@pytest.fixture
def generator():
    """A fresh generator, the same for every test."""
    return torch.Generator().manual_seed(0)
