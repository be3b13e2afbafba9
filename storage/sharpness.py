"""How sharp a face is: one measure for what is judged and for what is kept to learn from."""

from typing import Final

import cv2

BLURRED_BELOW: Final = 0.08


def sharpness(grey: cv2.typing.MatLike) -> float:
    """Energy of the finest structures as a share of the face's contrast, squashed to [0, 1].

    The variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000)
    divided by the grey levels' variance, so that light and skin tone do not count.

    Args:
        grey: (height, width) uint8, the face alone, at the size at which it was seen.
    """
    contrast = float(grey.std())
    if contrast < 2.0:
        return 0.0
    detail = float(cv2.Laplacian(grey, cv2.CV_32F).std())
    return float(min(1.0, detail / contrast))
