"""What several tests share: pictures and footage made on the spot, and the data pack where it is present."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from PIL import Image
from redis import Redis

from infra.cli import run
from infra.embedded import redis_command, redis_url, wait_for_socket
from storage.bus import Bus
from storage.frames import FrameStore, create_store

if TYPE_CHECKING:
    from tests.ingest_house import House

PACK = Path(__file__).parent.parent.parent / "shared" / "data"

# The same cases every time, new ones in a proof. How long one takes says nothing on a machine that is busy, and what
# fixtures give is made anew by the tests that have to.
settings.register_profile(
    "maskwatch",
    deadline=None,
    derandomize=not os.environ.get("MASKWATCH_PROOF"),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("maskwatch")

WriteVideo = Callable[..., Path]
Maskwatch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pack() -> Path:
    """The folder of training and test data; tests that need it are skipped, in one clear line, where it is absent."""
    if not (PACK / "split.json").exists():
        pytest.skip(f"the data pack is not at {PACK}")
    return PACK


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """The public-domain portrait the demo is made from: (512, 512, 3) uint8 RGB with one bare face."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut(), np.uint8)


@pytest.fixture
def write_video(tmp_path: Path) -> WriteVideo:
    """Write frames as H.264; `times` are their timestamps in seconds, `rotation` display degrees."""

    def write(
        frames: list[NDArray[np.uint8]],
        *,
        name: str = "clip.mp4",
        fps: int = 25,
        times: list[float] | None = None,
        pix_fmt: str = "yuv420p",
        codec: Literal["libx264", "mjpeg", "ffv1"] = "libx264",
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        height, width = frames[0].shape[:2]
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream(codec, fps)
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
            for index, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                seconds = index / fps if times is None else times[index]
                picture.pts, picture.time_base = round(seconds * 90_000), Fraction(1, 90_000)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def maskwatch(capsys: pytest.CaptureFixture[str]) -> Maskwatch:
    """Run `maskwatch` in this process; gives its exit status, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return call


@pytest.fixture
def photo(tmp_path: Path, astronaut: NDArray[np.uint8]) -> Path:
    """The portrait as a file."""
    path = tmp_path / "photo.jpg"
    Image.fromarray(astronaut).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras, for tests that need the training set: skipped where that is not installed, in CI an error."""
    if os.environ.get("CI"):
        import keras
    else:
        reason = "the training set is not installed: run `make setup-train`"
        pytest.importorskip("tensorflow", reason=reason)
        keras = pytest.importorskip("keras", reason=reason)
    return keras


@pytest.fixture
def redis() -> Iterator[str]:
    """Address of a Redis of the test's own: the embedded one, empty."""
    # A unix socket's path has to be short; pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        socket = Path(folder) / "redis.sock"
        with subprocess.Popen(redis_command(socket), stdout=subprocess.DEVNULL) as server:
            try:
                wait_for_socket(socket, server, 30)
                yield redis_url(socket)
            finally:
                server.kill()


@pytest.fixture
def bus(redis: str) -> Iterator[Bus]:
    """A bus of the test's own."""
    # Its Redis is there: where it takes longer to answer than is allowed in service, the machine is busy.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.link.ANSWER_LIMIT_S", 30.0)
        bus = Bus(redis)
    yield bus
    bus.close()


@pytest.fixture
def raw(redis: str) -> Iterator[Any]:
    """Its Redis itself, as a stranger would use it."""
    client = Redis.from_url(redis)
    yield client
    client.close()


@pytest.fixture
def frames(tmp_path: Path) -> Iterator[FrameStore]:
    """A frame store of the test's own, 32 MiB."""
    create_store(tmp_path / "frames", 32)
    with FrameStore(tmp_path / "frames") as store:
        yield store


@pytest.fixture
def house(tmp_path: Path, redis: str) -> "Iterator[House]":
    """The cameras of one ingest process, on a Redis and a database of their own."""
    # With it comes the database, which most tests do without.
    from tests.ingest_house import House

    folder = tmp_path / "house"
    folder.mkdir()
    house = House(folder, redis)
    yield house
    house.close()


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the machine or writes outside its own folder."""
    for name in [name for name in os.environ if name.startswith("MASKWATCH_")]:
        if name != "MASKWATCH_PROOF":
            monkeypatch.delenv(name)
    monkeypatch.setenv("MASKWATCH_DATA_DIR", str(tmp_path / "data"))


def flat(colour: tuple[int, int, int] = (90, 120, 150), size: tuple[int, int] = (96, 128)) -> NDArray[np.uint8]:
    """A picture of one colour, (height, width, 3)."""
    return np.full((*size, 3), colour, np.uint8)
