"""The exponential moving average of a network's weights, which generalises better than the last step's."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DECAY: Final = 0.999
"""By step."""

EVERY: Final = 8
"""Steps from one update to the next: each costs a copy of all weights."""


class Average:
    """Follows the weights of a `keras.Model` over its training steps."""

    def __init__(self, model: Any) -> None:
        """Begin with nothing; `values` are those of the model's `get_weights`."""
        self._model = model
        self.values: list[NDArray[np.float32]] = []
        self.updates = 0

    def step(self) -> None:
        """A training step was made."""
        self.updates += 1
        if self.updates % EVERY == 0:
            self.take()

    def take(self) -> None:
        """Let the weights of now into the average."""
        weights = self._model.get_weights()
        if not self.values:
            self.values = [part.copy() for part in weights]
            return
        # Young averages forget faster, so that the untrained start leaves no trace.
        decay = min(DECAY**EVERY, (1.0 + self.updates) / (EVERY * 10.0 + self.updates))
        pairs = zip(self.values, weights, strict=True)
        self.values = [kept * np.float32(decay) + part * np.float32(1.0 - decay) for kept, part in pairs]
