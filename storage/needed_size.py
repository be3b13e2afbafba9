"""A picture of a camera's view that shows how large a face must be, and how large faces were: nobody can be recognised.

Wherever people may be it is pixelated before anything is drawn.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from storage.errors import InputError
from storage.face_tally import COLUMNS, ROWS, Tally
from storage.messages import Box

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

WIDEST_PX: Final = 1280
NARROWEST_PX: Final = 960
"""A smaller picture is enlarged, so that there is room for words."""

BLOCKS: Final = 24
"""Blocks of the pixelation across the picture's shorter side: a near face, a sixth of it, falls into four of them."""

BLOCK_PX: Final = 16
"""Least side of a block."""

FACE_MARGIN: Final = 0.5
"""Share of a face's sides that is covered on each side of it."""

GOOD, SCARCE, SMALL, NEEDED = (60, 190, 90), (245, 175, 40), (230, 60, 60), (255, 255, 255)
MOST_OUTLINES: Final = 9
HEAT: Final = 0.55
"""How much of the picture the colour of a cell hides where most faces were seen."""

TALLEST_LEGEND_PX: Final = 240.0
QUALITY: Final = 85


def covered(rgb: Picture, people: NDArray[np.bool_] | None, faces: Sequence[Box] = ()) -> Picture:
    """A picture pixelated where people are.

    Args:
        rgb: (height, width, 3) uint8.
        people: (rows, columns) grid over it, True where somebody may be; None: everywhere.
        faces: that were found in it, in pixels; covered with their surroundings.

    Returns:
        A new picture of the same shape.
    """
    height, width = rgb.shape[:2]
    block = max(BLOCK_PX, min(height, width) // BLOCKS)
    small = cv2.resize(rgb, (max(1, width // block), max(1, height // block)), interpolation=cv2.INTER_AREA)
    blocks = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    if people is None:
        return blocks
    where = cv2.resize(people.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(np.bool_)
    for x, y, face_width, face_height in faces:
        across, down = FACE_MARGIN * face_width, FACE_MARGIN * face_height
        top, left = max(0, round(y - down)), max(0, round(x - across))
        where[top : max(0, round(y + face_height + down)), left : max(0, round(x + face_width + across))] = True
    return np.where(where[..., None], blocks, rgb)


def needed_size(
    jpeg: bytes, tally: Tally, min_face_px: int, comfortable_px: int, source_width: int | None, *, cover: bool
) -> bytes:
    """The same as `drawn`, from a picture as JPEG.

    Args:
        jpeg: the view.
        tally: see `drawn`.
        min_face_px: likewise.
        comfortable_px: likewise.
        source_width: likewise; None: as wide as the picture.
        cover: pixelate all of it, since nobody knows where people are.

    Raises:
        InputError: the picture can't be decoded.
    """
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError("the camera's picture could not be decoded: ask for it again")
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    rgb = covered(rgb, None) if cover else rgb
    return drawn(rgb, tally, min_face_px, comfortable_px, source_width or rgb.shape[1])


def drawn(rgb: Picture, tally: Tally, min_face_px: int, comfortable_px: int, source_width: int) -> bytes:
    """The picture with what was seen and what is needed, as JPEG.

    Cells in which faces were seen are coloured by how large they were. Outlines of heads stand where most were seen
    (everywhere, where none were): the white one is as large as a face must be at least, the coloured one as large as faces
    were there.

    Args:
        rgb: the view, with people covered.
        tally: what was seen.
        min_face_px: longer side of the smallest face that is judged.
        comfortable_px: longer side from which faces are seldom missed.
        source_width: width of the camera's picture, in whose pixels sizes are given.
    """
    width = min(WIDEST_PX, max(NARROWEST_PX, rgb.shape[1]))
    if width != rgb.shape[1]:
        way = cv2.INTER_AREA if width < rgb.shape[1] else cv2.INTER_LINEAR
        size = (width, min(2 * WIDEST_PX, max(1, round(rgb.shape[0] * width / rgb.shape[1]))))
        rgb = cv2.resize(rgb, size, interpolation=way).astype(np.uint8, copy=False)
    height = rgb.shape[0]
    share = width / max(1, source_width)
    counts, widths = tally.heat()
    colours = {cell: _colour(float(widths[cell]), min_face_px, comfortable_px) for cell in np.ndindex(ROWS, COLUMNS)}
    picture = _heated(rgb, counts, colours)
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(12, width // 80))
    for row, column in _places(counts):
        x, y = (column + 0.5) * width / COLUMNS, (row + 0.5) * height / ROWS
        if counts[row, column]:
            _head(draw, x, y, share * widths[row, column], colours[row, column])
            text = f"{widths[row, column]:.0f}"
            draw.text((x, y + share * max(widths[row, column], min_face_px) * 0.75 + 2), text, (255, 255, 255), font,
                      anchor="ma", stroke_width=2, stroke_fill=(0, 0, 0))  # fmt: skip
        _head(draw, x, y, share * min_face_px, NEEDED)
    return _jpeg(_with_legend(image, share, min_face_px, comfortable_px))


def _colour(width_px: float, min_face_px: int, comfortable_px: int) -> Colour:
    if width_px < min_face_px:
        return SMALL
    return SCARCE if width_px < comfortable_px else GOOD


def _heated(rgb: Picture, counts: NDArray[np.int64], colours: dict[tuple[int, ...], Colour]) -> Picture:
    if not counts.any():
        return rgb
    height, width = rgb.shape[:2]
    # Where one person stood for an hour must not make all others vanish.
    weights = np.sqrt(counts / counts.max()).astype(np.float32)
    layer = np.array([colours[cell] for cell in np.ndindex(ROWS, COLUMNS)], np.float32).reshape(ROWS, COLUMNS, 3)
    layer = np.dstack([layer * weights[..., None], weights])
    spread = np.asarray(cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    weight = spread[..., 3:]
    heat = spread[..., :3] / np.maximum(weight, 1e-3)
    return (rgb + HEAT * weight * (heat - rgb)).clip(0, 255).astype(np.uint8)


def _places(counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cells for outlines: those where most faces were seen, none beside another; a grid of nine where there were none."""
    if not counts.any():
        return [(row, column) for row in (2, 4, 6) for column in (3, 8, 12)]
    chosen: list[tuple[int, int]] = []
    for index in np.argsort(-counts, axis=None, kind="stable"):
        row, column = divmod(int(index), COLUMNS)
        apart = all(max(abs(row - r), abs(column - c)) > 1 for r, c in chosen)
        if counts[row, column] and apart:
            chosen.append((row, column))
        if len(chosen) == MOST_OUTLINES:
            break
    return chosen


def _head(draw: ImageDraw.ImageDraw, x: float, y: float, width: float, colour: Colour) -> None:
    """An outline, a little higher than it is wide, with a dark rim so that it shows on any ground."""
    across, down = max(2.0, width / 2), max(2.5, 0.62 * width)
    box = (x - across, y - down, x + across, y + down)
    draw.ellipse((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=(0, 0, 0), width=4)
    draw.ellipse(box, outline=colour, width=2)


def _with_legend(image: Image.Image, share: float, min_face_px: int, comfortable_px: int) -> Image.Image:
    width, height = image.size
    font = ImageFont.load_default(max(12, width // 72))
    bar = round(min(TALLEST_LEGEND_PX, max(44.0, 1.5 * share * comfortable_px + 16)))
    legend = Image.new("RGB", (width, bar), (24, 26, 30))
    draw = ImageDraw.Draw(legend)
    x, y = 16.0, bar / 2
    for size_px, colour, text in (
        (min_face_px, NEEDED, f"{min_face_px} px wide: the least a face must be"),
        (comfortable_px, GOOD, f"{comfortable_px} px: seldom missed"),
    ):
        shown = share * size_px
        _head(draw, x + shown / 2, y, shown, colour)
        x += shown + 10
        draw.text((x, y), text, (255, 255, 255), font, anchor="lm")
        x += draw.textlength(text, font) + 28
    for colour, text in ((SMALL, "seen too small"), (SCARCE, "just enough"), (GOOD, "well")):
        draw.rectangle((x, y - 7, x + 14, y + 7), fill=colour)
        draw.text((x + 20, y), text, (255, 255, 255), font, anchor="lm")
        x += 20 + draw.textlength(text, font) + 18
    out = Image.new("RGB", (width, height + bar))
    out.paste(image, (0, 0))
    out.paste(legend, (0, height))
    return out


def _jpeg(image: Image.Image) -> bytes:
    bgr = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
