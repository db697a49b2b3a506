"""Synthetic people and hands with exact labels: drawn, cached, the same for the same seed."""

from posenb.data.synthetic.body import Scene, body, scene
from posenb.data.synthetic.cache import RENDERER as VERSION
from posenb.data.synthetic.hand import hand
from posenb.data.synthetic.sequence import sequence

__all__ = ["VERSION", "Scene", "body", "hand", "scene", "sequence"]
