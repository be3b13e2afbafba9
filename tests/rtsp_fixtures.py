"""A clip and our own server that plays it.

A test module has them by `pytest_plugins = ("tests.rtsp_fixtures",)` at its head; it must not import this module.
"""

from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from infra.rtsp.server import RtspServer
from tests.rtsp_client import Pictures, encoded, pictures


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds; the pictures of its first second differ from one another."""
    return encoded(tmp_path_factory.mktemp("rtsp") / "clip.mp4", 50)


@pytest.fixture(scope="module")
def in_file(clip: Path) -> Pictures:
    with av.open(str(clip)) as container:
        return pictures(container)


@pytest.fixture
def camera(clip: Path) -> Iterator[RtspServer]:
    """A camera at `hall` that plays the clip over and over."""
    with RtspServer({"hall": clip}) as server:
        yield server
