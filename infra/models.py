"""The networks that the settings name: the detector, loaded behind a looker, and the classifier."""

from contextlib import ExitStack
from pathlib import Path

from classify.backend import Opened, open_classifier
from classify.classifier import model_file
from classify.labels_file import labels_path, read_labels
from detect.looking import Looker
from detect.models import detector_model
from infra.settings import Settings


def open_looker(settings: Settings) -> Looker:
    """The face detector, as many of it as threads are to be used; to be closed.

    Raises:
        SetupError: a model file, or the classifier's labels, are missing.
        InputError: a file that is none.
    """
    # Takes long to import, and only who detects needs it.
    from detect.blazeface import MIN_SCORE, MIN_SCORE_ALONE, BlazeFace

    model = detector_model(settings.detector)
    path = detector_file(settings, settings.detector)
    labels = read_labels(labels_path(model_file(settings.model)))
    min_score = MIN_SCORE if labels.says_not_a_face else MIN_SCORE_ALONE
    with ExitStack() as stack:
        detectors = [stack.enter_context(BlazeFace(model, path, min_score=min_score)) for _ in range(settings.threads)]
        stack.pop_all()
    return Looker(detectors, min_face_px=settings.min_face_px)


def open_face_classifier(settings: Settings) -> Opened:
    """The classifier, on what the settings and this machine have it run.

    Raises:
        SetupError: the model file, its labels, or what it is to run on are missing.
        InputError: a file that is no such model.
    """
    return open_classifier(settings.model, backend=settings.classify_backend)


def detector_file(settings: Settings, name: str) -> Path:
    """The file of the detector `name`: the one that the settings name, else where set-up puts it."""
    return settings.detector_model or settings.models_dir / detector_model(name).file_name
