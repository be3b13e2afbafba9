"""Masks drawn on the portrait's sheet: surgical, respirator, cloth and gaiter, worn properly or not.

A mask is an outline of hand-measured sheet points, a relief (cushion, nose ridge, pleats), light on the relief, a
fabric, a shadow on the skin under it, and the loops that hold it. The three ways of wearing have outlines of their
own, because a mask below the nose isn't a mask moved down: it hangs on the same ears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from infra.demo.portrait import LANDMARKS, Sheet
from infra.demo.shading import (
    Picture,
    Points,
    blurred,
    dome,
    filled,
    grain,
    painted,
    relief_light,
    smooth_outline,
    stroked,
)
from storage.words import Label

Kind = Literal["surgical", "respirator", "cloth", "gaiter"]
Wearing = Literal["bare", "proper", "nose_out", "chin_only"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LABEL_OF: dict[Wearing, Label] = {
    "bare": Label.WITHOUT_MASK,
    "proper": Label.WITH_MASK,
    "nose_out": Label.INCORRECT_MASK,
    "chin_only": Label.INCORRECT_MASK,
}


@dataclass(frozen=True)
class MaskStyle:
    """One mask: its kind, colour (RGB 0..1), pattern (cloth only) and a seed for its creases."""

    kind: Kind
    colour: tuple[float, float, float]
    pattern: Literal["plain", "stripes", "checks", "dots"] = "plain"
    seed: int = 0


# Outlines go from the left corner along the top to the right corner, then along the bottom back to the left.
_TOPS: dict[Wearing, list[tuple[float, float]]] = {
    "proper": [(167, 462), (215, 448), (268, 428), (310, 410), (341, 403), (374, 412), (420, 434), (474, 458),
               (523, 474)],
    "nose_out": [(171, 526), (215, 533), (262, 530), (310, 522), (340, 519), (372, 523), (422, 535), (468, 541),
                 (515, 532)],
    "chin_only": [(177, 566), (212, 592), (258, 606), (300, 602), (338, 599), (378, 603), (420, 610), (464, 594),
                  (501, 568)],
}  # fmt: skip
_BOTTOMS: dict[Wearing, list[tuple[float, float]]] = {
    "proper": [(520, 540), (502, 598), (468, 648), (425, 684), (380, 704), (337, 709), (290, 702), (244, 682),
               (204, 646), (178, 592), (168, 530)],
    "nose_out": [(514, 570), (494, 622), (462, 668), (422, 700), (380, 718), (337, 723), (292, 716), (248, 697),
                 (208, 662), (182, 612), (173, 560)],
    "chin_only": [(496, 622), (476, 678), (442, 726), (395, 752), (337, 760), (280, 751), (234, 726), (200, 680),
                  (182, 626)],
}  # fmt: skip
_NOSE = (337.0, 470.0)


def draw_mask(sheet: Sheet, colour: Picture, style: MaskStyle, wearing: Wearing) -> tuple[Picture, Picture]:
    """The head with a mask on.

    sheet, colour: the cut-out head and its tinted colours (800, 720, 3) float32 0..1. Returns new colours and a new
    alpha (800, 720): a gaiter or a respirator reaches a little over the head's own edge. `bare` changes nothing.
    """
    if wearing == "bare":
        return colour, sheet.alpha
    shape = (colour.shape[0], colour.shape[1])
    outline = smooth_outline(_outline(style.kind, wearing))
    cover = filled(shape, outline, 1.6)
    light = _light(shape, cover, style, wearing)
    fabric = _fabric(shape, style) * light[..., None]
    shadow = np.clip(np.roll(blurred(cover, 9), 7, axis=0) - cover, 0, 1)
    out = (colour * (1 - 0.42 * shadow[..., None])).astype(np.float32)
    out, loops = _loops(out, style, wearing)
    out = painted(out, np.clip(fabric, 0, 1).astype(np.float32), cover)
    return out, np.maximum(np.maximum(sheet.alpha, cover), loops * (sheet.alpha > 0)).astype(np.float32)


def _outline(kind: Kind, wearing: Wearing) -> Points:
    top, bottom = list(_TOPS[wearing]), list(_BOTTOMS[wearing])
    if kind == "gaiter":
        # A tube: it goes from ear to ear and covers the neck, whatever its upper edge does.
        y = top[0][1]
        top = [(163, y - 6), *top[1:-1], (528, y + 2)]
        bottom = [(520, 580), (500, 630), (480, 680), (482, 735), (430, 772), (337, 782), (240, 768), (176, 725),
                  (178, 670), (176, 620), (166, 560)]  # fmt: skip
    elif kind == "respirator":
        # A beak that stands off the face: narrower at the cheeks, deeper at the chin.
        top = [(x + (12 if i == 0 else -12 if i == 8 else 0), y + (10 if i in (0, 8) else 0))
               for i, (x, y) in enumerate(top)]  # fmt: skip
        bottom = [(337 + (x - 337) * 0.955, y + 12 * (1 - abs(x - 337) / 190)) for x, y in bottom]
    return np.array(top + bottom, np.float64)


def _light(shape: tuple[int, int], cover: Picture, style: MaskStyle, wearing: Wearing) -> Picture:
    """Brightness (H, W) of the mask: its cushion, the nose under it, and the folds of its kind."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    relief = dome(cover, 62, 150)
    tip = {"proper": 470.0, "nose_out": 560.0, "chin_only": 662.0}.get(wearing, 470.0)
    bump = np.exp(-(((columns - _NOSE[0]) / 62) ** 2) - ((rows - tip - 15) / 78) ** 2)
    relief = relief + (34 if wearing == "proper" else 16) * bump.astype(np.float32)
    # Lines across the face sag in the middle like the mask itself.
    sag = rows - 26 * (1 - ((columns - 337) / 185) ** 2)
    folds = np.zeros(shape, np.float32)
    if style.kind == "surgical":
        top, pitch = {"proper": (500.0, 46.0), "nose_out": (560.0, 42.0), "chin_only": (622.0, 30.0)}[wearing]
        for k in range(3):
            step = (sag - top - k * pitch) / 3.0
            folds += 5.5 / (1 + np.exp(np.clip(step, -30, 30))) - 3.0 * np.exp(-((step / 2.6) ** 2))
    elif style.kind == "respirator":
        seam = np.abs(columns - 337 - 0.02 * (rows - 500))
        folds += 26 * np.exp(-seam / 60) - 4 * np.exp(-((seam / 4) ** 2))
    elif style.kind == "cloth":
        seam = np.abs(columns - 337)
        folds += 12 * np.exp(-seam / 70) - 2.0 * np.exp(-((seam / 4) ** 2))
    if style.kind == "gaiter" or wearing == "chin_only":
        seed = np.random.default_rng(style.seed)
        for k in range(6):
            y = 560 + 38 * k + seed.uniform(-12, 12) - (0 if style.kind == "gaiter" else -30)
            tilt = (columns - 337) * seed.uniform(-0.22, 0.22)
            folds += seed.uniform(3, 7) * np.exp(-(((sag + tilt - y) / 11) ** 2)).astype(np.float32)
    creases = 1.6 * grain(shape, style.seed + 5, 16)
    light = relief_light((blurred(relief + folds, 1.2) + creases).astype(np.float32), 0.42)
    # The rim is thinner and lies in the cheek's own shade: it ends darker than the middle.
    rim = np.clip(blurred(cover, 7) * 1.9 - 0.9, 0, 1)
    hem = np.abs(rim - 0.55) < 0.05
    return np.asarray(light * (0.80 + 0.20 * rim) * (1 - 0.05 * blurred(hem.astype(np.float32), 1)), np.float32)


def _fabric(shape: tuple[int, int], style: MaskStyle) -> Picture:
    """The mask's own colour (H, W, 3) before light: pattern and weave."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    base = np.ones((*shape, 3), np.float32) * np.array(style.colour, np.float32)
    other = np.array([1 - 0.75 * (1 - c) if sum(style.colour) < 1.2 else c * 0.45 for c in style.colour], np.float32)
    bend = rows - 22 * (1 - ((columns - 337) / 185) ** 2)
    if style.pattern == "stripes":
        base = painted(base, other, (np.sin(bend / 6.2) > 0.2).astype(np.float32) * 0.8)
    elif style.pattern == "checks":
        base = painted(base, other, ((np.sin(bend / 9) > 0) ^ (np.sin(columns / 9) > 0)).astype(np.float32) * 0.7)
    elif style.pattern == "dots":
        shift = (np.floor(bend / 30) % 2) * 15
        spot = np.hypot((bend % 30) - 15, ((columns + shift) % 30) - 15) < 6
        base = painted(base, other, spot.astype(np.float32))
    weave = grain(shape, style.seed + 1, 1.2) * 0.018 + grain(shape, style.seed + 2, 9) * 0.012
    return (blurred(base, 0.9) + weave[..., None]).astype(np.float32)


def _loops(colour: Picture, style: MaskStyle, wearing: Wearing) -> tuple[Picture, Picture]:
    """Ear loops (or a respirator's straps) from the mask's corners; the head with them, and their coverage."""
    shape = (colour.shape[0], colour.shape[1])
    cover = np.zeros(shape, np.float32)
    if style.kind == "gaiter":
        return colour, cover
    top, bottom = _TOPS[wearing], _BOTTOMS[wearing]
    for corner, low, ear in (
        (top[0], bottom[-3], LANDMARKS.left_ear),
        (top[-1], bottom[2], LANDMARKS.right_ear),
    ):
        for start, bow in ((corner, -8.0), (low, 12.0)):
            middle = ((start[0] + ear[0]) / 2, (start[1] + ear[1]) / 2 + bow)
            line = smooth_outline(np.array([start, middle, ear], np.float64), closed=False)
            cover = np.maximum(cover, stroked(shape, line, 4.5, 0.8))
    tone = np.array([0.93, 0.93, 0.92] if sum(style.colour) > 0.7 else [0.16, 0.16, 0.17], np.float32)
    shade = np.clip(np.roll(blurred(cover, 3), 4, axis=0) - cover, 0, 1)
    out = (colour * (1 - 0.45 * shade[..., None])).astype(np.float32)
    return painted(out, tone * np.float32(0.88), cover), cover
