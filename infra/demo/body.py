"""Drawn bodies: torso, arms and legs as shaded sprites, jointed like a puppet.

The head is a photograph; below it everything is drawn in metres from the chin, x to the viewer's right and y down,
in clothes with folds and the light of the portrait, so that head and body read as one person.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.scene import BodyLook, Colour
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

_DRAW_PX_PER_M = 900
BODY_PX_PER_M = _DRAW_PX_PER_M / 2
UPPER_ARM_M, FOREARM_M, THIGH_M, SHIN_M = 0.29, 0.25, 0.42, 0.41
SHOULDER = (0.174, 0.168)
HIP = (0.085, 0.66)
_TORSO_SIZE_M, _TORSO_ORIGIN_M = (0.64, 0.92), (0.32, 0.06)
_LIMB_PAD_M = 0.09
_NECK_SKIN = (0.74, 0.60, 0.475)


@dataclass(frozen=True, eq=False)
class Part:
    """A sprite of the puppet: `rgba` (H, W, 4) uint8 premultiplied, and the pixels of its two joints.

    A torso's joints are the chin and the point 1 m below; a limb's are its upper and lower end.
    """

    rgba: npt.NDArray[np.uint8]
    start: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True)
class Body:
    """The parts of one person's body; each limb serves left and right."""

    torso: Part
    upper_arm: Part
    forearm: Part
    thigh: Part
    shin: Part


TORSO_OUTLINE: Points = np.array(
    [(0.0, 0.062), (0.055, 0.058), (0.092, 0.076), (0.145, 0.096), (0.190, 0.118), (0.212, 0.160), (0.205, 0.26),
     (0.186, 0.36), (0.172, 0.46), (0.176, 0.56), (0.184, 0.68), (0.170, 0.76), (0.09, 0.80), (0.0, 0.78)],
    np.float64)  # fmt: skip
"""Right half of the torso in metres from the chin; the left half mirrors it."""


def torso_outline(build: float) -> Points:
    """The whole torso's outline (N, 2) in metres from the chin."""
    half = TORSO_OUTLINE * np.array([build, 1.0])
    return np.vstack([half, (half * [-1, 1])[::-1][1:-1]])


def draw_body(look: BodyLook, skin: Colour, seed: int) -> Body:
    """All parts of one person. skin: the head's gains for red, green and blue; seed: folds and weave."""
    tone = (_NECK_SKIN[0] * skin[0], _NECK_SKIN[1] * skin[1], _NECK_SKIN[2] * skin[2])
    short = look.garment == "scrubs"
    shoe = (0.13, 0.12, 0.12) if seed % 3 else (0.75, 0.75, 0.74)
    return Body(
        torso=_torso(look, tone, seed),
        upper_arm=_limb(UPPER_ARM_M, (0.052 * look.build, 0.044), look.top, seed + 1),
        forearm=_limb(FOREARM_M, (0.042, 0.030), tone if short else look.top, seed + 2, tip=tone, tip_kind="hand"),
        thigh=_limb(THIGH_M, (0.088 * look.build, 0.064), look.trousers, seed + 3),
        shin=_limb(SHIN_M, (0.062, 0.050), look.trousers, seed + 4, tip=shoe, tip_kind="shoe"),
    )


def _part(colour: Picture, alpha: Picture, start: tuple[float, float], end: tuple[float, float]) -> Part:
    """Drawn at twice the size, kept at half."""
    rgba = np.dstack([np.clip(colour, 0, 1) * alpha[..., None], alpha]).astype(np.float32)
    small = cv2.resize(rgba, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    pixels = np.round(np.clip(np.asarray(small), 0, 1) * 255).astype(np.uint8)
    return Part(pixels, (start[0] / 2, start[1] / 2), (end[0] / 2, end[1] / 2))


def _cloth(shape: tuple[int, int], colour: Colour, light: Picture, seed: int) -> Picture:
    weave = 1 + 0.018 * grain(shape, seed, 1.0) + 0.012 * grain(shape, seed + 9, 18)
    return (np.array(colour, np.float32) * (light * weave)[..., None]).astype(np.float32)


def _limb(
    length_m: float,
    half_widths_m: tuple[float, float],
    colour: Colour,
    seed: int,
    tip: Colour | None = None,
    tip_kind: str = "",
) -> Part:
    """A tapered tube that hangs down, with a hand or a shoe at its end."""
    pad, px = _LIMB_PAD_M, _DRAW_PX_PER_M
    shape = (round((length_m + 2.4 * pad) * px), round(2 * (max(half_widths_m) + 0.05) * px))
    middle, top, bottom = shape[1] / 2, pad * px, (pad + length_m) * px
    wide, narrow = (w * px for w in half_widths_m)
    # A limb that ends in a hand or a shoe stops at its cuff; one that ends in a joint is round there.
    outline = smooth_outline(np.array([
        (middle - wide, top), (middle - wide * 0.7, top - wide * 0.55), (middle + wide * 0.7, top - wide * 0.55),
        (middle + wide, top), (middle + (wide + narrow) * 0.5, (top + bottom) / 2), (middle + narrow, bottom),
        (middle + narrow * 0.7, bottom + narrow * 0.5), (middle - narrow * 0.7, bottom + narrow * 0.5),
        (middle - narrow, bottom), (middle - (wide + narrow) * 0.5, (top + bottom) / 2)]))  # fmt: skip
    cover = filled(shape, outline, 1.0)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    folds = 2.5 * np.sin(rows / (0.025 * px) + 2 * grain(shape, seed, 30)) * np.exp(
        -(((rows - bottom) / (0.10 * px)) ** 2)) + 1.6 * grain(shape, seed + 3, 22)  # fmt: skip
    # A tube, not a cushion: round across, even along, so that neighbours join without a dark seam.
    reach = wide + (narrow - wide) * np.clip((rows - top) / (bottom - top), 0, 1)
    tube = np.sqrt(np.clip(1.15 - ((columns - middle) / reach) ** 2, 0.02, None)) * reach
    light = relief_light(blurred((tube + folds).astype(np.float32), 2), 0.5)
    out, alpha = _cloth(shape, colour, light, seed), cover
    if tip is not None:
        grow = (0.036, 0.062) if tip_kind == "hand" else (0.052, 0.050)
        centre = bottom + (0.052 if tip_kind == "hand" else 0.030) * px
        end = np.zeros(shape, np.uint8)
        cv2.ellipse(end, (round(middle), round(centre)), (round(grow[0] * px), round(grow[1] * px)), 0, 0, 360,
                    (255,), -1, cv2.LINE_AA)  # fmt: skip
        tip_cover = blurred(end.astype(np.float32) / np.float32(255), 1.0)
        relief = dome(tip_cover, 22, 30)
        if tip_kind == "hand":
            for k in (-1.0, 0.0, 1.0):  # gaps between the fingers
                gap = np.array([(middle + k * 15, centre + 4), (middle + k * 13, centre + 56)])
                relief = relief - 7 * stroked(shape, gap, 3, 2)
        tip_colour = np.array(tip, np.float32) * relief_light(relief.astype(np.float32), 0.5)[..., None]
        out = painted(tip_colour.astype(np.float32), out, cover)
        alpha = np.maximum(cover, tip_cover)
    return _part(out, alpha, (middle, top), (middle, bottom))


def _torso(look: BodyLook, skin: Colour, seed: int) -> Part:
    px, (origin_x, origin_y) = _DRAW_PX_PER_M, _TORSO_ORIGIN_M
    shape = (round(_TORSO_SIZE_M[1] * px), round(_TORSO_SIZE_M[0] * px))

    def pixels(points: Points | list[tuple[float, float]]) -> Points:
        return np.asarray((np.asarray(points) + np.array(_TORSO_ORIGIN_M)) * px, np.float64)

    cover = filled(shape, smooth_outline(pixels(torso_outline(look.build))), 1.2)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) / px
    rows, columns = rows - np.float32(origin_y), columns - np.float32(origin_x)
    waves = np.sin(rows * 30 + np.abs(columns) * 34 + grain(shape, seed + 6, 60))
    folds = 3 * grain(shape, seed + 5, 26) + 3 * waves * np.exp(-(((rows - 0.58) / 0.16) ** 2))
    light = relief_light(dome(cover, 95, 175) + folds.astype(np.float32), 0.5)
    shade = 1 - 0.42 * np.exp(-((columns / 0.10) ** 2) - ((rows - 0.03) / 0.07) ** 2)  # the head's own shadow
    out = _cloth(shape, look.top, (light * shade).astype(np.float32), seed)
    neck = filled(shape, pixels([(-0.051, -0.05), (0.051, -0.05), (0.054, 0.06), (0.085, 0.085), (0.0, 0.21),
                                 (-0.085, 0.085), (-0.054, 0.06)]), 2)  # fmt: skip
    round_neck = np.clip(1 - 0.5 * np.abs(columns / 0.07) ** 2.4, 0.3, 1)
    under_chin = 0.62 + 0.36 * np.clip((rows - 0.01) / 0.10, 0, 1)
    flesh = np.array(skin, np.float32) * (round_neck * under_chin)[..., None]
    opening, trim = _openings(look)
    hole = filled(shape, pixels(opening), 1.2)
    alpha = np.maximum(cover, neck)
    out = painted(flesh.astype(np.float32), out, cover * (1 - hole))
    if look.garment in ("jacket", "hoodie"):
        vest = hole * np.clip((rows - 0.075 - 0.25 * np.abs(columns)) / 0.006, 0, 1)
        out = painted(out, _cloth(shape, look.inner, light * 0.9, seed + 7), vest.astype(np.float32))
    edge = np.clip(np.roll(blurred(hole, 5), -6, axis=0) - hole, 0, 1) * cover
    out = (out * (1 - 0.5 * edge[..., None])).astype(np.float32)
    for line, width_m, tone in trim:
        stroke = stroked(shape, smooth_outline(pixels(line), closed=False), width_m * px, 1.2)
        relief = relief_light(dome(stroke, 9, max(3.0, width_m * px / 2)), 0.55)
        out = painted(
            out, (np.array(tone, np.float32) * (relief * light * shade)[..., None]).astype(np.float32), stroke
        )
    return _part(out, alpha, (origin_x * px, origin_y * px), (origin_x * px, (origin_y + 1) * px))


_Trim = list[tuple[list[tuple[float, float]], float, Colour]]


def _openings(look: BodyLook) -> tuple[list[tuple[float, float]], _Trim]:
    """The garment's neck opening in metres from the chin, and its seams: line, width, colour."""
    r, g, b = look.top
    darker, lighter = (r * 0.72, g * 0.72, b * 0.72), (min(1, r * 1.1), min(1, g * 1.1), min(1, b * 1.1))
    if look.garment == "scrubs":
        opening = [(-0.068, 0.02), (0.068, 0.02), (0.078, 0.072), (0.0, 0.185), (-0.078, 0.072)]
        hem = [(-0.084, 0.072), (-0.045, 0.13), (0.0, 0.192), (0.045, 0.13), (0.084, 0.072)]
        pocket = [(0.06, 0.30), (0.06, 0.40), (0.15, 0.40), (0.15, 0.30), (0.06, 0.30)]
        return opening, [(hem, 0.016, darker), (pocket, 0.005, darker)]
    if look.garment == "jacket":
        opening = [(-0.065, 0.02), (0.065, 0.02), (0.088, 0.075), (0.062, 0.20), (0.0, 0.40), (-0.062, 0.20),
                   (-0.088, 0.075)]  # fmt: skip
        return opening, [([(-0.092, 0.07), (-0.085, 0.17), (-0.035, 0.33), (0.0, 0.42)], 0.036, lighter),
                         ([(0.092, 0.07), (0.085, 0.17), (0.035, 0.33), (0.0, 0.42)], 0.036, lighter),
                         ([(0.0, 0.42), (0.0, 0.55), (0.004, 0.76)], 0.006, darker)]  # fmt: skip
    if look.garment == "hoodie":
        opening = [(-0.066, 0.02), (0.066, 0.02), (0.076, 0.072), (0.03, 0.13), (0.0, 0.145), (-0.03, 0.13),
                   (-0.076, 0.072)]  # fmt: skip
        return opening, [([(-0.098, 0.055), (-0.075, 0.105), (-0.03, 0.146), (0.0, 0.156), (0.03, 0.146),
                           (0.075, 0.105), (0.098, 0.055)], 0.040, lighter),
                         ([(-0.03, 0.16), (-0.034, 0.22), (-0.03, 0.29)], 0.007, (0.85, 0.85, 0.83)),
                         ([(0.03, 0.16), (0.034, 0.22), (0.03, 0.27)], 0.007, (0.85, 0.85, 0.83))]  # fmt: skip
    opening = [(-0.062, 0.02), (0.062, 0.02), (0.072, 0.066), (0.04, 0.088), (0.0, 0.098), (-0.04, 0.088),
               (-0.072, 0.066)]  # fmt: skip
    return opening, [([(-0.078, 0.062), (-0.045, 0.094), (0.0, 0.106), (0.045, 0.094), (0.078, 0.062)], 0.016, darker)]
