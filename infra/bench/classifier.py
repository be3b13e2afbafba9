"""The classifier alone: CPU milliseconds a face, one at a time and in batches, and by Keras' own calls."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import BATCH_SIZES, load_model
from classify.keras_model import load_keras
from infra.bench.bare import bare_network
from infra.bench.report import Measurement, cost, figure
from infra.bench.stopwatch import median_ms, median_ms_beside
from infra.console import say
from infra.settings import Settings
from storage.errors import InputError

CALLS: Final = 300
KERAS_CALLS: Final = 30
BESIDE: Final = "model.keras"
"""What training leaves beside its LiteRT file, taken where no Keras model is named."""

Progress = Callable[[float, float | None], None]
Faces = NDArray[np.uint8]


def run_classifier(settings: Settings, keras: Path | None, progress: Progress) -> list[Measurement]:
    """Measure the classifier of the settings on one thread, and Keras' own calls where there is a Keras model.

    Raises:
        InputError: a model can't be used.
        SetupError: the classifier's file is missing.
    """
    classifier = load_model(settings.model)
    size = classifier.image_size
    # What the pixels show changes nothing in the time.
    faces = np.random.default_rng(0).integers(0, 256, (32, size, size, 3), np.uint8)
    rows = []
    for done, count in enumerate((1, 32)):
        progress(done, 3)
        part, name, rounds = [faces[:count]], f"ms_per_face_{count}", max(CALLS // count, 20)
        if classifier.backend != "litert":
            rows.append(figure(name, median_ms(classifier.classify, part, rounds=KERAS_CALLS) / count, "ms"))
            continue
        batch = next(batch for batch in BATCH_SIZES if batch <= count)
        network = bare_network(settings.model, (batch, size, size, 3))
        value, limit = median_ms_beside(classifier.classify, network, part, rounds=rounds)
        rows.append(cost(name, value / count, "ms", limit / batch))
    progress(2, 3)
    chosen = keras or _beside(settings.model)
    if chosen is None:
        say("keras_ms_per_face is left out: name a Keras model with --keras FILE")
    elif find_spec("keras") is None or find_spec("tensorflow") is None:
        say("keras_ms_per_face is left out: it needs TensorFlow and Keras (make setup-train)")
    else:
        rows += _keras_rows(chosen, faces)
    return rows


def _beside(model: Path) -> Path | None:
    found = model if model.suffix == ".keras" else model.with_name(BESIDE)
    return found if found.is_file() else None


def _keras_rows(path: Path, faces: Faces) -> list[Measurement]:
    """One face at a time, called in each of the ways of the Keras examples; the fastest is what counts."""
    model = load_keras(path, threads=1)
    size = model.inputs[0].shape[1]
    if size not in (None, faces.shape[1]):
        faces = np.random.default_rng(0).integers(0, 256, (32, size, size, 3), np.uint8)
    model.compile(optimizer="sgd", jit_compile=False)
    ways: dict[str, Callable[[NDArray[np.float32]], Any]] = {
        "predict": lambda face: model.predict(face, verbose=0),
        "call": lambda face: model(face, training=False),
        "predict_on_batch": model.predict_on_batch,
    }
    alone = [face[None].astype(np.float32) for face in faces[:KERAS_CALLS]]
    try:
        times = {name: median_ms(way, alone) for name, way in ways.items()}
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise InputError(f"{path} is not a Keras model that takes pictures: {reason}") from error
    rows = [figure("keras_ms_per_face", min(times.values()), "ms")]
    return [*rows, *(figure(f"keras_{name}_ms", value, "ms") for name, value in times.items())]
