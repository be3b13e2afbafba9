"""The head of every demo person, cut from one public-domain portrait.

`skimage.data.astronaut()` is a NASA photograph (Eileen Collins) in the public domain. The head is cut out once, at
four times the portrait's size, on a canvas called the *sheet*; masks are drawn on the sheet, where every landmark has
a known place; then the sheet is tinted, mirrored and squeezed into one person's sprite.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.shading import Picture, Points, blurred, filled, painted, smooth_outline
from storage.errors import SetupError

SHEET_SCALE = 4
SHEET_LEFT, SHEET_TOP = 140, 8
SHEET_WIDTH, SHEET_HEIGHT = 720, 800
SPRITE_SCALE = 0.5
"""Sprite pixels for each sheet pixel: a face is 182 px wide in a sprite, a little more than it is ever shown."""
FACE_WIDTH_M = 0.14
METRES_PER_SHEET_PX = FACE_WIDTH_M / 365.0
SPRITE_PX_PER_M = SPRITE_SCALE / METRES_PER_SHEET_PX


@dataclass(frozen=True)
class Landmarks:
    """Places on the sheet, measured by hand, as (x, y) in sheet pixels; left and right as the viewer sees them."""

    left_eye: tuple[float, float] = (253, 371)
    right_eye: tuple[float, float] = (430, 378)
    nose_bridge: tuple[float, float] = (342, 405)
    nose_tip: tuple[float, float] = (343, 470)
    nostrils: tuple[float, float] = (340, 494)
    mouth: tuple[float, float] = (337, 548)
    lower_lip: tuple[float, float] = (337, 582)
    chin: tuple[float, float] = (337, 680)
    left_ear: tuple[float, float] = (140, 455)
    right_ear: tuple[float, float] = (538, 490)


LANDMARKS = Landmarks()
FACE_OUTLINE: Points = np.array(
    [(186, 282), (250, 276), (337, 270), (430, 288), (504, 312), (524, 400), (524, 470), (512, 530), (486, 585),
     (455, 628), (405, 666), (337, 681), (275, 671), (225, 644), (188, 605), (170, 530), (161, 450), (164, 380)],
    np.float64)  # fmt: skip
"""Hairline, cheeks and chin: the truth box of a face is the bounding box of these points."""
_HEAD_OUTLINE: Points = np.array(
    [(360, 33), (410, 38), (470, 62), (525, 92), (575, 132), (607, 185), (627, 232), (641, 290), (643, 350),
     (632, 400), (610, 440), (580, 468), (557, 487), (548, 508), (520, 514), (508, 520), (500, 560), (474, 612),
     (460, 650), (456, 706), (440, 722), (390, 729), (337, 724), (270, 708), (215, 697), (184, 668), (183, 610),
     (172, 540), (168, 497), (148, 492), (128, 462), (116, 438), (84, 405), (64, 360), (57, 300), (56, 240),
     (70, 195), (110, 155), (160, 130), (196, 118), (206, 92), (240, 64), (300, 42)], np.float64)  # fmt: skip


@dataclass(frozen=True)
class HeadLook:
    """How one person's head differs from the portrait. All mild: the face must stay a photograph.

    skin, hair: gains for red, green, blue. hair_grey: 0 keeps the hair's colour, 1 takes it all away. squeeze: width
    as a part of the original, like a head turned a little; shear: the turn's slant.
    """

    mirror: bool = False
    skin: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hair: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hair_grey: float = 0.0
    squeeze: float = 1.0
    shear: float = 0.0


@dataclass(frozen=True, eq=False)
class Sheet:
    """The cut-out head: `colour` (800, 720, 3) float32 0..1 RGB, `alpha` and `hair` coverage (800, 720) 0..1."""

    colour: Picture
    alpha: Picture
    hair: Picture


@lru_cache(maxsize=1)
def cut_head() -> Sheet:
    """The head (face, hair, neck) on the sheet. Raises SetupError where scikit-image is not installed."""
    try:
        from skimage import data
    except ImportError as error:
        raise SetupError(
            "the demo's people come from a portrait in the scikit-image package, which is not installed; "
            "install it with: pip install scikit-image (or the project's demo set)"
        ) from error
    portrait = np.asarray(data.astronaut(), np.uint8)
    right, bottom = SHEET_LEFT + SHEET_WIDTH // SHEET_SCALE, SHEET_TOP + SHEET_HEIGHT // SHEET_SCALE
    crop = portrait[SHEET_TOP:bottom, SHEET_LEFT:right]
    large = cv2.resize(crop, (SHEET_WIDTH, SHEET_HEIGHT), interpolation=cv2.INTER_CUBIC)
    colour = large.astype(np.float32) / np.float32(255)
    shape = (SHEET_HEIGHT, SHEET_WIDTH)
    rough = filled(shape, smooth_outline(_HEAD_OUTLINE))
    # The guided filter (He, Sun, Tang 2010) lets the edge of the matte follow the strands of hair.
    fine = np.asarray(cv2.ximgproc.guidedFilter(colour, blurred(rough, 3), 14, 1e-4), np.float32)
    inner = np.asarray(cv2.erode(rough, np.ones((13, 13), np.uint8)), np.float32)
    alpha = np.clip(np.maximum(inner, (fine - 0.35) * 1.8), 0, 1)
    near = np.asarray(cv2.dilate(rough, np.ones((17, 17), np.uint8)), np.float32)
    alpha = blurred((alpha * near).astype(np.float32), 2.0)
    face = filled(shape, smooth_outline(FACE_OUTLINE), 7)
    rows = np.arange(SHEET_HEIGHT, dtype=np.float32)[:, None]
    below_ears = np.clip((rows - 440) / 60, 0, 1)
    luma = colour @ np.array([0.3, 0.59, 0.11], np.float32)
    warm = np.clip((colour[..., 0] - colour[..., 1] - 0.13) / 0.08, 0, 1)  # ears and cheeks are redder than hair
    skin = np.maximum(face * np.clip((rows - 270) / 30, 0, 1), blurred((warm * (luma > 0.35)).astype(np.float32), 4))
    hair = np.clip(1 - skin, 0, 1) * np.clip(1 - below_ears, 0, 1)
    return Sheet(_without_backdrop(colour, inner), _faded_neck(alpha), hair.astype(np.float32))


def _without_backdrop(colour: Picture, inner: Picture) -> Picture:
    """Colours of the head's inside drawn outwards over its edge, so that the studio's grey leaves no halo."""
    out = colour
    weight = blurred(inner, 9)
    spread = blurred((colour * inner[..., None]).astype(np.float32), 9) / np.maximum(weight, 1e-3)[..., None]
    edge = np.clip(weight * 60, 0, 1) * (1 - blurred(inner, 2))
    return painted(out, np.clip(spread, 0, 1).astype(np.float32), edge.astype(np.float32))


def _faded_neck(alpha: Picture) -> Picture:
    """The neck fades out above the suit's black collar: the drawn neck goes on from there."""
    fade_line = smooth_outline(np.array([(150, 640), (184, 660), (250, 690), (337, 706), (420, 708), (460, 700),
                                         (520, 690)], np.float64), closed=False)  # fmt: skip
    above = np.vstack([fade_line, [(720, 600), (720, 0), (0, 0), (0, 600)]])
    return (alpha * filled((SHEET_HEIGHT, SHEET_WIDTH), above, 5)).astype(np.float32)


def tinted(sheet: Sheet, look: HeadLook) -> Picture:
    """The sheet's colours (800, 720, 3) with this person's skin and hair."""
    skin = np.clip(sheet.colour * np.array(look.skin, np.float32), 0, 1).astype(np.float32)
    grey = (sheet.colour @ np.array([0.3, 0.59, 0.11], np.float32))[..., None]
    hair = sheet.colour + (grey - sheet.colour) * np.float32(look.hair_grey)
    return painted(skin, np.clip(hair * np.array(look.hair, np.float32), 0, 1).astype(np.float32), sheet.hair)


def sheet_to_sprite(look: HeadLook) -> npt.NDArray[np.float64]:
    """The affine map (2, 3) from sheet pixels to this person's sprite pixels: shrink, mirror, squeeze, slant."""
    sign = -1.0 if look.mirror else 1.0
    chin_x, chin_y = LANDMARKS.chin
    across = sign * look.squeeze * SPRITE_SCALE
    slant = look.shear * SPRITE_SCALE
    middle = SHEET_WIDTH * SPRITE_SCALE / 2
    return np.array([[across, slant, middle - across * chin_x - slant * chin_y], [0, SPRITE_SCALE, 0]], np.float64)


def face_points(look: HeadLook) -> Points:
    """The face's outline (N, 2) in this person's sprite pixels."""
    matrix = sheet_to_sprite(look)
    return np.asarray(FACE_OUTLINE @ matrix[:, :2].T + matrix[:, 2], np.float64)


def head_points(look: HeadLook) -> Points:
    """The head's outline with hair (N, 2) in this person's sprite pixels."""
    matrix = sheet_to_sprite(look)
    return np.asarray(_HEAD_OUTLINE @ matrix[:, :2].T + matrix[:, 2], np.float64)


def sprite(colour: Picture, alpha: Picture, look: HeadLook) -> npt.NDArray[np.uint8]:
    """A sheet with its mask drawn, as this person's sprite (400, 360, 4) uint8, premultiplied RGBA."""
    rgba = np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)
    # Blur first: the map shrinks by half, and a plain warp would alias.
    small = cv2.warpAffine(blurred(rgba, 0.8), sheet_to_sprite(look), (SHEET_WIDTH // 2, SHEET_HEIGHT // 2))
    return np.clip(np.round(np.asarray(small) * 255), 0, 255).astype(np.uint8)
