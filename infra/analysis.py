"""The kernels of all rooms put together: from pixels to classified faces, in one process."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier, LiteRtClassifier
from classify.faces import classify_faces, face_verdict
from detect.blazeface import MIN_SCORE, MIN_SCORE_ALONE, BlazeFace
from detect.faces import Faces
from detect.looking import Looker
from detect.models import detector_model
from infra.settings import Settings
from storage.errors import InputError
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


class Analyzer:
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
        self.classifier: FaceClassifier = load_classifier(settings.model)
        model = detector_model(settings.detector)
        path = settings.detector_model or settings.models_dir / model.file_name
        min_score = MIN_SCORE if self.classifier.rejects_false_alarms else MIN_SCORE_ALONE
        with ExitStack() as stack:
            detectors = [
                stack.enter_context(BlazeFace(model, path, min_score=min_score)) for _ in range(settings.threads)
            ]
            self._looker = Looker(detectors, min_face_px=settings.min_face_px)
            stack.pop_all()

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

    def found_in_sample(self, rgb: NDArray[np.uint8], look: Look, motion: NDArray[np.bool_], seq: int) -> Faces:
        """Faces found in a sample of footage, looked at as `ingest.motion.Motion` judged it.

        Args:
            rgb: (height, width, 3) uint8.
            look: everywhere, or where it moves.
            motion: grid over the picture, True where something moves.
            seq: number of the sample.
        """
        if look is Look.FULL:
            return self._looker.look(rgb)
        return self._looker.look_where_it_moves(rgb, motion, seq)

    def classified(self, rgb: NDArray[np.uint8], found: Faces) -> tuple[Face, ...]:
        """What was found in a picture, classified; finds that are no faces are dropped."""
        return classify_faces(
            self.classifier, rgb, found.boxes, found.scores, found.keypoints, min_face_px=self.settings.min_face_px
        )

    def close(self) -> None:
        """Release the networks."""
        self._looker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_classifier(path: Path) -> FaceClassifier:
    """The classifier in a file, chosen by its kind.

    Raises:
        InputError: a file that is none, or of a kind that can't run here.
    """
    if path.suffix == ".keras":
        raise InputError(f"{path}: .keras models can't be run yet; give the .tflite file that training wrote beside it")
    return LiteRtClassifier(path)


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
