"""TLS as cameras speak it."""

import socket
import ssl


def wrapped(raw: socket.socket, name: str) -> ssl.SSLSocket:
    """A connected socket, encrypted; the handshake has the socket's time limit.

    Cameras make their certificates themselves, with whatever date and key they happen to have: what is sent is hidden,
    who sends it is not proven.

    Args:
        raw: connected.
        name: that the camera is asked for by.

    Raises:
        OSError: no TLS there, or not in time.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Old cameras have keys of 1024 bits, which are refused otherwise.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context.wrap_socket(raw, server_hostname=name)
