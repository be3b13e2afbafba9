"""The cast: how each demo person looks, and the masks they may wear. All drawn from one seeded generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.demo.masks import MaskStyle
from infra.demo.portrait import HeadLook
from infra.demo.scene import BodyLook, Colour, Garment

# Gains on the portrait's own skin, mild on purpose: the face stays a photograph.
_SKINS: tuple[Colour, ...] = (
    (1.0, 1.0, 1.0), (1.03, 0.98, 0.96), (0.95, 0.93, 0.92), (0.90, 0.87, 0.84), (0.83, 0.78, 0.74),
    (0.76, 0.69, 0.64), (0.98, 0.99, 0.97), (0.87, 0.84, 0.83))  # fmt: skip
_HAIRS: tuple[tuple[Colour, float], ...] = (
    ((1.0, 1.0, 1.0), 0.0), ((0.55, 0.48, 0.45), 0.3), ((0.32, 0.30, 0.31), 0.7), ((1.12, 1.12, 1.16), 0.9),
    ((0.80, 0.62, 0.50), 0.1), ((0.72, 0.70, 0.70), 0.6), ((1.15, 1.10, 0.98), 0.2),
    ((0.45, 0.37, 0.33), 0.3))  # fmt: skip
_TOPS: tuple[Colour, ...] = (
    (0.55, 0.20, 0.20), (0.20, 0.24, 0.34), (0.38, 0.42, 0.30), (0.75, 0.72, 0.66), (0.25, 0.40, 0.58),
    (0.30, 0.30, 0.32), (0.60, 0.46, 0.28), (0.42, 0.28, 0.45), (0.80, 0.80, 0.82), (0.16, 0.17, 0.18))  # fmt: skip
_SCRUBS: tuple[Colour, ...] = ((0.25, 0.50, 0.58), (0.28, 0.55, 0.46), (0.26, 0.34, 0.56), (0.55, 0.66, 0.74))
_TROUSERS: tuple[Colour, ...] = (
    (0.17, 0.20, 0.29), (0.15, 0.15, 0.16), (0.42, 0.38, 0.31), (0.30, 0.32, 0.35), (0.24, 0.22, 0.20))  # fmt: skip
MASKS: tuple[MaskStyle, ...] = (
    MaskStyle("surgical", (0.56, 0.76, 0.87), seed=11),
    MaskStyle("respirator", (0.93, 0.93, 0.91), seed=12),
    MaskStyle("surgical", (0.60, 0.80, 0.72), seed=13),
    MaskStyle("cloth", (0.22, 0.27, 0.42), seed=14),
    MaskStyle("surgical", (0.94, 0.95, 0.96), seed=15),
    MaskStyle("surgical", (0.11, 0.11, 0.12), seed=16),
    MaskStyle("cloth", (0.62, 0.20, 0.22), "dots", seed=17),
    MaskStyle("gaiter", (0.17, 0.19, 0.24), seed=18),
    MaskStyle("surgical", (0.50, 0.70, 0.84), seed=19),
    MaskStyle("cloth", (0.80, 0.78, 0.72), "checks", seed=20),
    MaskStyle("respirator", (0.14, 0.14, 0.15), seed=21),
    MaskStyle("cloth", (0.35, 0.45, 0.62), "stripes", seed=22),
)

PLAIN_MASKS: tuple[MaskStyle, ...] = tuple(MASKS[k] for k in (0, 4, 2, 8))
"""Masks that stand out from skin: for those whose label hangs on a few pixels or a few seconds."""


@dataclass(frozen=True)
class Person:
    """One member of the cast; height in metres, gait is the phase of the walk in radians."""

    head: HeadLook
    body: BodyLook
    height_m: float
    gait: float


def cast(count: int, ward: bool, rng: np.random.Generator) -> list[Person]:
    """`count` people who differ from each other; in a ward most wear scrubs."""
    skins, hairs = rng.permutation(len(_SKINS)), rng.permutation(len(_HAIRS))
    tops, scrubs = rng.permutation(len(_TOPS)), rng.permutation(len(_SCRUBS))
    people = []
    for k in range(count):
        hair, grey = _HAIRS[hairs[k % len(_HAIRS)]]
        head = HeadLook(
            mirror=bool(k % 2) != bool(rng.random() < 0.3),
            skin=_SKINS[skins[k % len(_SKINS)]],
            hair=hair,
            hair_grey=grey,
            squeeze=float(rng.uniform(0.94, 1.0)),
            shear=float(rng.uniform(-0.035, 0.035)),
        )
        garment: Garment = ("shirt", "jacket", "hoodie")[int(rng.integers(3))]
        top, trousers = _TOPS[tops[k % len(_TOPS)]], _TROUSERS[int(rng.integers(len(_TROUSERS)))]
        if ward and rng.random() < 0.7:
            garment = "scrubs"
            top = trousers = _SCRUBS[scrubs[k % len(_SCRUBS)]]
        body = BodyLook(garment, top, (0.84, 0.84, 0.81), trousers, float(rng.uniform(0.94, 1.08)))
        people.append(Person(head, body, float(rng.uniform(1.58, 1.82)), float(rng.uniform(0, 6.28))))
    return people
