"""The networks that the settings name, loaded: the detector behind a looker, and the classifier."""

from contextlib import ExitStack
from pathlib import Path

from classify.classifier import FaceClassifier, LiteRtClassifier, read_labels
from detect.looking import Looker
from detect.models import detector_model
from infra.settings import Settings
from storage.errors import InputError
from storage.words import NOT_A_FACE


def open_looker(settings: Settings) -> Looker:
    """The face detector, as many of it as threads are to be used; to be closed.

    Raises:
        SetupError: a model file, or the classifier's labels, are missing.
        InputError: a file that is none.
    """
    # Takes long to import, and only who detects needs it.
    from detect.blazeface import MIN_SCORE, MIN_SCORE_ALONE, BlazeFace

    model = detector_model(settings.detector)
    path = settings.detector_model or settings.models_dir / model.file_name
    labels = read_labels(settings.model.with_name("labels.json"))
    rejected_later = labels.rejects_false_alarms and NOT_A_FACE in labels.labels
    min_score = MIN_SCORE if rejected_later else MIN_SCORE_ALONE
    with ExitStack() as stack:
        detectors = [stack.enter_context(BlazeFace(model, path, min_score=min_score)) for _ in range(settings.threads)]
        stack.pop_all()
    return Looker(detectors, min_face_px=settings.min_face_px)


def load_classifier(path: Path) -> FaceClassifier:
    """The classifier in a file, chosen by its kind.

    Raises:
        InputError: a file that is none, or of a kind that can't run here.
    """
    if path.suffix == ".keras":
        raise InputError(f"{path}: .keras models can't be run yet; give the .tflite file that training wrote beside it")
    return LiteRtClassifier(path)
