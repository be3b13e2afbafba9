"""A still picture of a camera's view, for whoever sets it up.

It shows what the camera sees, people too: aim, light and focus can't be judged on less. So it exists in memory alone, is
made only when asked for, goes only to who may set up cameras, and says in itself what it is.
"""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDEST_PX: Final = 1280
TALLEST_PX: Final = 2 * WIDEST_PX
QUALITY: Final = 80
NOTE: Final = b"Set-up picture of a camera; it may show people: delete it after use."


def still_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """The picture as JPEG, at most `WIDEST_PX` wide.

    Args:
        rgb: (height, width, 3) uint8.
    """
    picture = Image.fromarray(rgb)
    # Two steps: whole pixels are averaged first, at a tenth of the cost.
    picture.thumbnail((WIDEST_PX, TALLEST_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, comment=NOTE)
    return out.getvalue()
