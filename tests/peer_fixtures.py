"""Fixtures that serve clips by our own server or by GStreamer's.

A test module has them by `pytest_plugins = ("tests.peer_fixtures",)` at its head; it must not import this module.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from infra.rtsp.server import RtspServer
from tests.peers import TO_INSTALL, GstPeer, Serve, gstreamers_python


@pytest.fixture
def gst_peer() -> Iterator[Serve]:
    """Serve clips by GStreamer; where it is absent the test is skipped, in CI that is an error."""
    if gstreamers_python() is None:
        reason = f"GStreamer's RTSP server is not installed: apt-get install {TO_INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with ExitStack() as all_of_them:

        def serve(clip: Path, *, user: str | None = None, password: str | None = None) -> str:
            return all_of_them.enter_context(closing(GstPeer(clip, user=user, password=password))).url

        yield serve


@pytest.fixture
def our_peer() -> Iterator[Serve]:
    """Serve clips by our own server."""
    with ExitStack() as all_of_them:

        def serve(clip: Path, *, user: str | None = None, password: str | None = None) -> str:
            return all_of_them.enter_context(RtspServer({"hall": clip}, user=user, password=password)).url("hall")

        yield serve


@pytest.fixture(params=["our_peer", "gst_peer"])
def either_peer(request: pytest.FixtureRequest) -> Serve:
    """Serve clips: the test runs against our own server, and against GStreamer's."""
    serve: Serve = request.getfixturevalue(request.param)
    return serve
