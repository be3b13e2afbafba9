"""What a LiteRT file says, without any of the running system's choices."""

import numpy as np
from numpy.typing import NDArray


def litert_outputs(content: bytes, pictures: NDArray[np.uint8], *, batch: int = 32) -> tuple[NDArray[np.float32], ...]:
    """Logits (N, labels) and maps (N, h, w, labels) of a LiteRT file for (N, size, size, 3) uint8 pictures."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    entry = interpreter.get_input_details()[0]
    outputs = interpreter.get_output_details()
    # Older files have one output of each rank and no names of ours.
    lists = [output for output in outputs if len(output["shape"]) == 2]
    logits = next((output for output in lists if output["name"] == "logits"), lists[0])
    maps = next(output for output in outputs if len(output["shape"]) == 4)
    parts: tuple[list[NDArray[np.float32]], ...] = ([], [])
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        interpreter.resize_tensor_input(entry["index"], part.shape, strict=True)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], part.astype(entry["dtype"], copy=False))
        interpreter.invoke()
        for place, output in enumerate((logits, maps)):
            parts[place].append(interpreter.get_tensor(output["index"]).copy())
    return tuple(np.concatenate(part) if part else np.empty(0, np.float32) for part in parts)
