"""The libraries underneath without anything of ours: the limits that our figures are held against."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame

from storage.errors import InputError


def bare_frames(path: Path) -> Iterator[VideoFrame]:
    """Decode all frames of footage on one thread by PyAV's own loop.

    Raises:
        InputError: something in the file is damaged; our own reading would go on.
    """
    try:
        with av.open(f"file:{path.resolve()}") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            yield from container.decode(stream)
    except av.error.FFmpegError as error:
        raise InputError(f"{path} is damaged ({error.strerror}): measure on footage that is whole") from error


def bare_network(path: Path, shape: tuple[int, int, int, int]) -> Callable[[object], None]:
    """One call of a LiteRT network on one thread: input set, run, first output read.

    Args:
        path: a `.tflite` file, known to be good.
        shape: (N, height, width, 3) of the input.

    Returns:
        A function that makes the call; its argument is ignored.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    entry = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(entry["index"], shape, strict=False)
    interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]["index"]
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8).astype(entry["dtype"])

    def call(_item: object) -> None:
        interpreter.set_tensor(entry["index"], pixels)
        interpreter.invoke()
        interpreter.get_tensor(output)

    return call
