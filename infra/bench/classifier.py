"""The classifier alone: CPU milliseconds a face, one at a time and in batches, with LiteRT and with Keras."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from classify.classifier import BATCH_SIZES
from infra.bench.bare import bare_network
from infra.bench.report import Measurement, cost, figure
from infra.bench.stopwatch import median_ms, median_ms_beside
from infra.console import say
from infra.models import load_classifier
from infra.settings import Settings
from storage.errors import InputError

CALLS: Final = 300
KERAS_CALLS: Final = 30

Progress = Callable[[float, float | None], None]


def run_classifier(settings: Settings, keras: Path | None, progress: Progress) -> list[Measurement]:
    """Measure the classifier of the settings on one thread, and a Keras model where one is given.

    Raises:
        InputError: a model can't be used.
        SetupError: the classifier's file is missing.
    """
    classifier = load_classifier(settings.model)
    size = classifier.image_size
    rng = np.random.default_rng(0)
    rows = []
    for done, faces in enumerate((1, 32)):
        progress(done, 3)
        # What the pixels show changes nothing in the time.
        crops = [rng.integers(0, 256, (faces, size, size, 3), np.uint8)]
        batch = next(batch for batch in BATCH_SIZES if batch <= faces)
        network = bare_network(settings.model, (batch, size, size, 3))
        value, limit = median_ms_beside(classifier.classify, network, crops, rounds=max(CALLS // faces, 20))
        rows.append(cost(f"ms_per_face_{faces}", value / faces, "ms", limit / batch))
    progress(2, 3)
    if keras is None:
        say("keras_ms_per_face is left out: name a Keras model with --keras FILE")
    elif find_spec("keras") is None or find_spec("tensorflow") is None:
        say("keras_ms_per_face is left out: it needs TensorFlow and Keras (make setup-train)")
    else:
        rows.append(figure("keras_ms_per_face", _keras_ms(keras), "ms"))
    return rows


def _keras_ms(path: Path) -> float:
    """One face at a time, called as in the Keras examples."""
    import keras

    try:
        model = keras.models.load_model(path)
        _, height, width, channels = model.input_shape
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise InputError(f"{path} is not a Keras model that takes pictures: {reason}") from error
    picture = np.random.default_rng(0).integers(0, 256, (1, height, width, channels)).astype(np.float32)
    return median_ms(lambda _: model.predict_on_batch(picture), range(KERAS_CALLS))
