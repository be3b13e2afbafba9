"""What a camera's H.264 encoder does to a face, by encoding it: blocks, smeared texture, what the last frame left behind."""

from fractions import Fraction

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray


def through_video(crop: NDArray[np.uint8], *, qp: int, step: list[int]) -> NDArray[np.uint8]:
    """A crop as the second frame of a film whose first shows it a little elsewhere.

    The quantiser is constant, so that the same crop gives the same bytes (rate control looks at the clock's mercy).

    Args:
        crop: (side, side, 3) uint8 RGB, 16 px or more.
        qp: H.264 quantiser, 0-51; cameras use about 25-40.
        step: pixels that the picture moves from the first frame to the second, down and right.

    Returns:
        As `crop`; as it was where no encoder is there.
    """
    side = crop.shape[0]
    even = side + side % 2
    padded = np.pad(crop, ((0, even - side), (0, even - side), (0, 0)), mode="edge")
    try:
        encoder = av.CodecContext.create("libx264", "w")
    except av.error.FFmpegError:
        return crop
    encoder.width = encoder.height = even
    encoder.pix_fmt, encoder.time_base, encoder.thread_count = "yuv420p", Fraction(1, 25), 1
    encoder.options = {"qp": str(qp), "preset": "ultrafast", "tune": "zerolatency", "bf": "0"}
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    shown = None
    packets = []
    for number, picture in enumerate((np.roll(padded, step, (0, 1)), padded)):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.pict_type = number, PictureType.I if number == 0 else PictureType.NONE
        packets += encoder.encode(frame)
    for packet in (*packets, *encoder.encode(None), None):
        for frame in decoder.decode(packet):
            shown = frame.to_ndarray(format="rgb24")
    if shown is None:
        return crop
    return np.ascontiguousarray(shown[:side, :side], np.uint8)
