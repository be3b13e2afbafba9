"""What a model takes: time a face, memory of the process."""

import resource
import sys
import time

import numpy as np

from classify.classifier import FaceClassifier


def milliseconds_per_face(classifier: FaceClassifier, batch: int, *, rounds: int = 15) -> float:
    """Median time of a call with `batch` faces, per face."""
    size = classifier.image_size
    pictures = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    classifier.classify(pictures)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        classifier.classify(pictures)
        times.append(time.perf_counter() - started)
    return round(float(np.median(times)) * 1000.0 / batch, 3)


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, in MiB."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
