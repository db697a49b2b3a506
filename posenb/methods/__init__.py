"""Methods, one file or package a paper. They do not import each other; :mod:`posenb.methods.combined` puts two of
them together."""

from __future__ import annotations

from importlib import import_module

from posenb.errors import UserError
from posenb.methods.base import Method

__all__ = ["METHODS", "Method", "find"]

METHODS = {
    "adversarial_augmentation": "posenb.methods.adversarial_augmentation:AdversarialAugmentation",
    "adversarial_pretraining": "posenb.methods.adversarial_augmentation:AdversarialPretraining",
    "error_feedback": "posenb.methods.error_feedback:ErrorFeedback",
    "scale_selection": "posenb.methods.scale_selection:ScaleSelection",
    "self_adversarial": "posenb.methods.self_adversarial:SelfAdversarial",
    "semi_supervised": "posenb.methods.semi_supervised:SemiSupervised",
    "stable_heatmaps": "posenb.methods.stable_heatmaps:StableHeatmaps",
    "stable_adversarial_augmentation": "posenb.methods.combined:StableAdversarialAugmentation",
    "stable_semi_supervised": "posenb.methods.combined:StableSemiSupervised",
    "supervised": "posenb.methods.supervised:Supervised",
}


def find(name: str) -> type[Method]:
    """The method of a name in ``METHODS``, or of your own 'package.module:Class'.

    Raises:
        UserError: where there is none.
    """
    module, _, kind = METHODS.get(name, name).partition(":")
    if not kind:
        raise UserError(f"method must be one of {', '.join(METHODS)}, or 'package.module:Class', not {name!r}")
    try:
        found = getattr(import_module(module), kind)
    except (ImportError, AttributeError) as error:
        raise UserError(f"method {name!r} cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"method {name!r} is not a subclass of posenb.methods.Method")
    return found
