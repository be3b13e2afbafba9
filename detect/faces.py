"""The one currency for detected faces: what every function of this room takes and returns."""

from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

KEYPOINTS: Final = ("right_eye", "left_eye", "nose_tip", "mouth", "right_ear", "left_ear")
"""BlazeFace's keypoints in order; right and left are the person's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """N detected faces of one picture.

    Attributes:
        boxes: (N, 4) float32, x, y, width, height in pixels, origin top left.
        scores: (N,) float32 in [0, 1], the detector's confidence.
        keypoints: (N, 6, 2) float32, x and y in pixels, in the order of `KEYPOINTS`; NaN where the detector has none.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Self:
        """No face at all."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, len(KEYPOINTS), 2), np.float32))

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """All faces of several parts, in the order given."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.keypoints for part in parts]),
        )

    def chosen(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Faces":
        """The faces at `index`: positions or a mask of length N."""
        return Faces(self.boxes[index], self.scores[index], self.keypoints[index])

    def moved(self, dx: float, dy: float) -> "Faces":
        """The same faces shifted by (dx, dy) pixels."""
        shift = np.array([dx, dy], np.float32)
        boxes = self.boxes.copy()
        boxes[:, :2] += shift
        return Faces(boxes, self.scores, self.keypoints + shift)


class FaceDetector(Protocol):
    """Finds faces in one picture, at one look."""

    @property
    def name(self) -> str:
        """The name it goes by in settings and reports."""
        ...

    @property
    def input_px(self) -> int:
        """Side of the square the network sees; larger pictures are scaled down to it."""
        ...

    @property
    def smallest_face_px(self) -> float:
        """Width of a face within that square below which too many are missed."""
        ...

    def detect(self, rgb: NDArray[np.uint8]) -> Faces:
        """Find the faces in a C-contiguous (height, width, 3) RGB picture; boxes in its pixels."""
        ...

    def close(self) -> None:
        """Release the network."""
        ...
