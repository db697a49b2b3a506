"""What people wear and how they look: palettes, and an outfit for each person of a block."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from posenb.data.synthetic.draws import Array, Bools, Draws


def palette(words: str) -> Array:
    """``(M, 3)`` RGB colours in [0, 255] from hexadecimal words."""
    return np.array([[int(word[k : k + 2], 16) for k in (0, 2, 4)] for word in words.split()], dtype=np.float64)


SKIN = palette("f6d6bd f0c6a4 e8b890 dba57b c98e62 b07a50 8f5d3b 74492e 5b3823")
_HAIR = palette("1c1715 2b1d16 3d2616 5a371d 7a4a22 a8763a d2a95c 8c3b1e 8f8a86 c9c5be")
SHIRT = palette(
    "f2efe9 e9e2d0 d94f3d b8332e e88b3a f0c24b 6ea84f 2f7d5b 3a9b9b 2f6fb0 1f3f77 5b4a9c a14d8a e58fa8 "
    "8a8f98 3c4048 20242b 7d3b2c a7c6e0 cfe3c4 f4d9c6 c7b7e2 e2604f 4c8ccf"
)
_TROUSERS = palette("26324d 34496e 4d6a94 7d96b5 1e2126 3a3c40 6b6a66 a09a8c c7b793 8b6b48 5a4a3a 47553d 7c2f35 e6e2d8")
_SHOES = palette("f4f2ee 22242a 7a4a2c c23b34 3b6fb5 9aa0a6 e0b44c 3d7a5a")


def darker(colour: Array, amount: float = 0.34) -> Array:
    """The colour in shade: darker, and a little bluer. ``(..., 3)``."""
    return colour * (1 - amount * np.array([1.0, 0.96, 0.84]))


def lighter(colour: Array, amount: float = 0.2) -> Array:
    """The colour in light: brighter, and a little warmer. ``(..., 3)``."""
    return colour + (255 - colour) * amount * np.array([1.0, 0.96, 0.84])


@dataclass(frozen=True)
class Outfit:
    """The looks of N people: colours ``(N, 3)``, and for the rest ``(N,)``."""

    skin: Array
    hair: Array
    shirt: Array
    accent: Array
    trousers: Array
    shoes: Array
    hat: Array
    sleeve: Array
    """Share of the arm that the shirt covers: 0 none, .25 to the middle of the upper arm, 1 to the wrist."""
    leg: Array
    """Share of the leg that the trousers cover, as above."""
    skirt: Array
    """Share of the thigh that a skirt covers; 0 for none."""
    dress: Bools
    striped: Bools
    badge: Bools
    zipped: Bools
    has_hat: Bools
    hair_length: Array
    """Length of the hair that hangs from the head, in head heights; 0 for short hair."""
    bald: Bools

    def __getitem__(self, rows: Bools) -> Outfit:
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def sample_outfits(draws: Draws, curve: Array) -> Outfit:
    """Outfits of a block of people. ``curve (BLOCK,)`` is the build's; hair and skirts lean on it, not strictly."""

    def colour(choices: Array, spread: float = 7.0) -> Array:
        picked = choices[draws.choice([1.0] * len(choices))]
        return (picked + spread * draws.normal(3)).clip(12, 248)

    skin, hair = colour(SKIN, 4), colour(_HAIR, 5)
    shirt, accent, trousers, shoes, hat = (colour(c) for c in (SHIRT, SHIRT, _TROUSERS, _SHOES, SHIRT))
    # two garments of one colour merge into a blob
    close = np.abs(shirt - trousers).max(1, keepdims=True) < 40
    trousers = np.where(
        close, np.where(shirt.mean(1, keepdims=True) > 120, 0.45 * trousers, 0.5 * trousers + 110), trousers
    )
    close = np.abs(shirt - accent).max(1, keepdims=True) < 60
    accent = np.where(close, np.where(shirt.mean(1, keepdims=True) > 120, 0.4 * accent, 0.4 * accent + 150), accent)
    dressy = draws.uniform(0, 1) < np.where(curve > 0.1, 0.34, 0.0)
    dress = dressy & draws.chance(0.5)
    shorts = draws.chance(0.28)
    leg = np.where(dressy, 0.0, np.where(shorts, draws.uniform(0.3, 0.5), 1.0))
    sleeve = np.array([0.0, 0.22, 0.3, 0.5, 1.0])[draws.choice([0.12, 0.25, 0.2, 0.08, 0.35])]
    striped = draws.chance(0.24)
    badge = draws.chance(0.4) & ~striped
    long_hair = draws.uniform(0, 1) < np.where(curve > 0, 0.62, 0.12)
    return Outfit(
        skin=skin,
        hair=hair,
        shirt=shirt,
        accent=accent,
        trousers=np.where(dress[:, None], shirt, trousers),
        shoes=shoes,
        hat=hat,
        sleeve=sleeve,
        leg=leg,
        skirt=np.where(dressy, draws.uniform(0.6, 1.0), 0.0),
        dress=dress,
        striped=striped,
        badge=badge,
        zipped=draws.chance(0.3) & ~striped & ~badge,
        has_hat=draws.chance(0.2),
        hair_length=np.where(long_hair, draws.uniform(0.55, 1.25), 0.0),
        bald=draws.chance(0.06) & ~long_hair,
    )
