"""Containers that are read. Of the others some open further files and addresses by themselves, past every check."""

from typing import Final

LIVE: Final = (
    *("mpjpeg", "mjpeg", "jpeg_pipe", "hls", "mov", "mpegts", "matroska", "flv", "live_flv", "avi", "ogg", "asf"),
    *("h264", "hevc", "mpegvideo", "m4v"),
)
"""What cameras and their web servers send. Of a play list (`hls`) every address is checked by `ingest.web`."""

RECORDED: Final = (
    *("asf", "avi", "dhav", "dv", "flv", "kux", "live_flv", "matroska", "mov", "mpeg", "mpegts", "mpegtsraw", "mpjpeg"),
    *("mxf", "nsv", "nut", "ogg", "pva", "rm", "webm", "wtv", "yuv4mpegpipe"),
    *("av1", "avs2", "avs3", "cavsvideo", "dirac", "dnxhd", "evc", "h261", "h263", "h264", "hevc", "ivf", "m4v"),
    *("mjpeg", "mjpeg_2000", "mpegvideo", "obu", "vc1", "vc1test", "vvc"),
    *("apng", "gif", "jpegxl_anim", "bmp_pipe", "dpx_pipe", "exr_pipe", "j2k_pipe", "jpeg_pipe", "jpegls_pipe"),
    *("jpegxl_pipe", "pam_pipe", "pbm_pipe", "pcx_pipe", "pgm_pipe", "png_pipe", "ppm_pipe", "psd_pipe", "qoi_pipe"),
    *("sgi_pipe", "sunrast_pipe", "tiff_pipe", "webp_pipe"),
)
"""Videos and pictures, each whole in one file: no play list, session description or list of files, which lead elsewhere."""


def allowing(names: tuple[str, ...], protocols: str) -> dict[str, str]:
    """Options for FFmpeg that keep it to these containers and protocols.

    Args:
        names: FFmpeg's names of formats.
        protocols: that it may open by itself, with commas between them; `none` is no protocol's name.
    """
    return {"format_whitelist": ",".join(names), "protocol_whitelist": protocols}
