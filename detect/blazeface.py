"""BlazeFace through MediaPipe Tasks.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The full-range model sees
192x192 px and was made for faces up to about five metres away.
"""

from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from detect.faces import KEYPOINTS, Faces
from detect.models import DetectorModel, checked_model_file
from detect.spared import spared
from storage.errors import SetupError

MIN_SCORE: Final = 0.2
"""Low on purpose: recall rises, and the classifier's `not_a_face` output removes the false alarms again."""

MIN_SCORE_ALONE: Final = 0.5
"""For classifiers without such an output."""


class BlazeFace:
    """A `FaceDetector` over MediaPipe's `FaceDetector` task, on the CPU.

    >>> with BlazeFace(detector_model("blazeface-full-range"), path) as detector:  # doctest: +SKIP
    ...     faces = detector.detect(rgb)
    """

    def __init__(self, model: DetectorModel, path: Path, *, min_score: float = MIN_SCORE) -> None:
        """Load the network.

        Args:
            model: which network `path` holds.
            path: the `.tflite` file.
            min_score: faces below are not returned, in [0, 1].

        Raises:
            SetupError: the file is missing or another one, or a system library is missing.
        """
        checked_model_file(path, model)
        try:
            with spared():
                from mediapipe import Image, ImageFormat
                from mediapipe.tasks.python.core.base_options import BaseOptions
                from mediapipe.tasks.python.vision.face_detector import FaceDetector, FaceDetectorOptions

            task = FaceDetector.create_from_options(
                FaceDetectorOptions(
                    base_options=BaseOptions(model_asset_path=str(path)),
                    min_detection_confidence=min_score,
                    min_suppression_threshold=0.3,
                )
            )
        except OSError as error:
            raise SetupError(
                f"MediaPipe can't be loaded ({error}): install the system library it names "
                "(on Debian and Ubuntu: apt-get install libegl1 libgles2)"
            ) from error
        self._model = model
        self._task = task
        self._image = Image
        self._format = ImageFormat.SRGB

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def input_px(self) -> int:
        return self._model.input_px

    @property
    def smallest_face_px(self) -> float:
        return self._model.smallest_face_px

    def detect(self, rgb: NDArray[np.uint8]) -> Faces:
        found = self._task.detect(self._image(image_format=self._format, data=rgb)).detections
        if not found:
            return Faces.none()
        height, width = rgb.shape[:2]
        boxes = np.array(
            [
                (face.bounding_box.origin_x, face.bounding_box.origin_y, face.bounding_box.width,
                 face.bounding_box.height)
                for face in found
            ],
            np.float32,
        )  # fmt: skip
        scores = np.array([face.categories[0].score for face in found], np.float32)
        keypoints = np.full((len(found), len(KEYPOINTS), 2), np.nan, np.float32)
        for index, face in enumerate(found):
            points = [(point.x * width, point.y * height) for point in face.keypoints or ()]
            keypoints[index, : len(points)] = points
        return Faces(boxes, scores, keypoints)

    def close(self) -> None:
        self._task.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
