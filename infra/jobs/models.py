"""What looks at a job's footage, pinned without loading any of it."""

import hashlib

from classify.classifier import model_file
from classify.labels_file import check_sha256, labels_path, read_labels, read_model
from detect.models import detector_model
from infra.jobs.way import RedoError
from infra.settings import Settings
from storage.bus import Bus
from storage.errors import InputError
from storage.jobs import Pin


def pinned(settings: Settings, bus: Bus) -> Pin:
    """The detector of the settings, and their classifier in the form that the `classify` workers run.

    Raises:
        RedoError: no such worker is at work, or the model file and its labels don't belong together.
        SetupError: the model file, or its labels, are missing.
        BusError: Redis is away.
    """
    devices = sorted(
        beat.device for name, beat in bus.heartbeats().items() if name.startswith("classify-") and beat.device
    )
    if not devices:
        raise RedoError("no classify worker is at work: start one; it goes on by itself")
    backend = devices[0].partition(" ")[0]
    path = model_file(settings.model)
    path = path.with_suffix(".tflite" if backend == "litert" else ".keras")
    try:
        digest = hashlib.sha256(read_model(path)).hexdigest()
        labels = read_labels(labels_path(path))
        check_sha256(labels, path, digest)
    except InputError as error:
        # It is not the footage that is wrong.
        raise RedoError(str(error)) from error
    return Pin(labels.name or path.stem, digest, backend, detector_model(settings.detector).name)
