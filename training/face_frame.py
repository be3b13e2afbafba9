"""A face's own coordinates from the detector's six keypoints, for whatever is drawn onto it."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


class Frame:
    """A face's own coordinates: `t` down the middle (0 the eyes, 1 the mouth, about 1.7 the chin), `u` to the sides
    (-1 the edge on the picture's left, 1 on its right).
    """

    def __init__(self, keypoints: Points) -> None:
        right_eye, left_eye, nose, mouth, right_ear, left_ear = keypoints.astype(np.float64)
        self.eyes = (right_eye + left_eye) / 2.0
        down = mouth - self.eyes
        self.height = float(np.hypot(*down)) + 1e-6
        self.down = down / self.height
        self.across = np.array([self.down[1], -self.down[0]])
        self.nose_t = float(np.clip((nose - self.eyes) @ self.down / self.height, 0.4, 0.75))
        self._bend = float((nose - self.eyes) @ self.across)
        middle = self.centre(np.array(0.3))
        self.right = max(0.0, float((middle - right_ear) @ self.across))
        self.left = max(0.0, float((left_ear - middle) @ self.across))

    def centre(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) points of the face's middle line at (...) `t`; on a turned face the nose bends it."""
        along, across = t[..., None] * self.height, self._shift(t)[..., None]
        return np.asarray(self.eyes + self.down * along + self.across * across, np.float64)

    def points(self, u: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) pixels of (...) coordinates."""
        return self.centre(t) + self.across * (u * self._half(u, t))[..., None]

    def coordinates(self, pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`u` and `t` of (..., 2) pixels, the inverse of `points`."""
        from_eyes = pixels - self.eyes
        t = from_eyes @ self.down / self.height
        aside = from_eyes @ self.across - self._shift(t)
        return aside / np.maximum(self._half(aside, t), 1e-6), t

    def _shift(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._bend * np.maximum(0.0, 1.0 - np.abs(t - self.nose_t) / 0.6)

    def _half(self, side: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
        width = np.interp(t, [0.3, 1.0, 1.4, 1.8, 2.3], [1.0, 0.93, 0.8, 0.55, 0.5])
        return np.where(side < 0, self.right, self.left) * width


def can_draw(keypoints: Points, side: int) -> bool:
    """Whether a face is frontal and large enough to draw on: (6, 2) keypoints in a crop of `side` pixels."""
    if side < 80 or not np.isfinite(keypoints).all():
        return False
    frame = Frame(keypoints)
    near, far = sorted((frame.right, frame.left))
    return frame.height > 0.06 * side and near > 0.2 * far and far > 0.4 * frame.height
