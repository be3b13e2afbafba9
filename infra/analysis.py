"""The kernels of all rooms put together: from pixels to classified faces, in one process."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier, load_model
from classify.faces import Finds, classify_faces, face_verdict
from detect.faces import Faces
from infra.models import open_looker
from infra.settings import Settings
from storage.closing import Closing
from storage.messages import Box, Face, Look
from storage.report import ModelInfo
from storage.words import MASK_LABELS, Label, UnknownReason


class FaceReport(msgspec.Struct, frozen=True):
    """One face of a still picture, as the interface documentation gives it."""

    box: Box
    detection_score: float
    label: Label
    confidence: float
    unknown_reason: UnknownReason | None
    probabilities: dict[str, float]


class ImageReport(msgspec.Struct, frozen=True):
    """One line of `maskwatch image --json`."""

    image: str
    width: int
    height: int
    faces: list[FaceReport]


class Analyzer(Closing):
    """Finds and classifies the faces of pictures.

    >>> with Analyzer(load_settings()) as analyzer:  # doctest: +SKIP
    ...     faces = analyzer.faces_in_picture(rgb)
    """

    def __init__(self, settings: Settings) -> None:
        """Load detector and classifier.

        Raises:
            SetupError: a model file is missing.
            InputError: a model file that is none.
        """
        self.settings = settings
        self.classifier: FaceClassifier = load_model(settings.model)
        self._looker = open_looker(settings)

    @property
    def detector_name(self) -> str:
        """Name of the face detector."""
        return self._looker.name

    @property
    def model_info(self) -> ModelInfo:
        """Which classifier speaks."""
        return ModelInfo(self.classifier.name, self.classifier.sha256, self.classifier.backend)

    def faces_in_picture(self, rgb: NDArray[np.uint8]) -> tuple[Face, ...]:
        """Classified faces of a still picture, (height, width, 3) uint8 RGB."""
        return self.classified(rgb, self._looker.look_thoroughly(rgb))

    def report(self, rgb: NDArray[np.uint8], name: str) -> ImageReport:
        """The faces of a still picture as `maskwatch image` reports them, under a name."""
        faces = [face_report(face, self.settings.min_face_px) for face in self.faces_in_picture(rgb)]
        return ImageReport(name, rgb.shape[1], rgb.shape[0], faces)

    def found_in_sample(self, rgb: NDArray[np.uint8], look: Look, motion: NDArray[np.bool_], seq: int) -> Faces:
        """Faces found in a sample of footage, looked at as `ingest.motion.Motion` judged it.

        Args:
            rgb: (height, width, 3) uint8.
            look: everywhere, or where it moves.
            motion: grid over the picture, True where something moves.
            seq: number of the sample.
        """
        return self._looker.look_at_sample(rgb, look, motion, seq)

    def classified(self, rgb: NDArray[np.uint8], found: Faces) -> tuple[Face, ...]:
        """What was found in a picture, classified; finds that are no faces are dropped."""
        finds = Finds(rgb, found.boxes, found.scores, found.keypoints, self.settings.min_face_px)
        return classify_faces(self.classifier, [finds])[0]

    def close(self) -> None:
        """Release the networks."""
        self._looker.close()


def face_report(face: Face, min_face_px: int) -> FaceReport:
    """A face as `maskwatch image` reports it."""
    label, confidence, reason = face_verdict(face, min_face_px)
    return FaceReport(
        box=face.box,
        detection_score=face.detection_score,
        label=label,
        confidence=round(confidence, 4),
        unknown_reason=reason,
        probabilities=named(face.probabilities),
    )


def named(probabilities: Sequence[float]) -> dict[str, float]:
    """Probabilities by label, with four decimals."""
    return {label.value: round(float(p), 4) for label, p in zip(MASK_LABELS, probabilities, strict=True)}
