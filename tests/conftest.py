"""What the tests share."""

import os
from importlib import import_module

import pytest
import torch
from hypothesis import settings

# the same examples at every run, on machines of any speed
settings.register_profile("posenb", deadline=None, derandomize=True, max_examples=25, database=None)
settings.load_profile("posenb")


@pytest.fixture(autouse=True)
def records_apart(monkeypatch):
    """Where a test keeps runs in a folder of its own, its published records lie there too, and not in the checkout."""
    from posenb import home

    records = import_module("posenb.claims.records")  # not the function that the package calls so
    monkeypatch.setattr(records, "checkout", lambda: None if "POSENB_HOME" in os.environ else home.checkout())


@pytest.fixture
def generator():
    """A fresh generator, the same for every test."""
    return torch.Generator().manual_seed(0)
