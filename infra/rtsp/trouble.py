"""Everything that cameras do wrong, on command and on a live stream, from any thread."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.rtsp.camera import Camera
from infra.rtsp.clip import Clip
from infra.rtsp.connection import Connection
from infra.rtsp.faults import Faults
from infra.rtsp.manners import Manners
from storage.errors import UsageError


class Trouble(ABC):
    """What can be done to a server that runs; names that it does not serve are a `UsageError`."""

    _manners: Manners

    def freeze(self, name: str) -> None:
        """Show the latest keyframe again and again: the same picture bit by bit; packets and timestamps go on."""
        self._set(name, lambda faults: replace(faults, frozen=True))

    def stall(self, name: str) -> None:
        """Send neither pictures nor reports; connections stay, and requests are answered."""
        self._set(name, lambda faults: replace(faults, stalled=True))

    def no_keyframes(self, name: str) -> None:
        """Withhold keyframes; the other pictures go on, also to who comes new."""
        self._set(name, lambda faults: replace(faults, keyless=True))

    def corrupt(self, name: str, share: float, *, drop: float = 0.0) -> None:
        """Damage a share of the packets' payloads and lose a share of the packets.

        Args:
            name: of the stream.
            share: 0 to 1.
            drop: 0 to 1.

        Raises:
            UsageError: a share below 0 or above 1.
        """
        self._set(name, lambda faults: replace(faults, damaged=share, dropped=drop))

    def resume(self, name: str) -> None:
        """End `freeze`, `stall`, `no_keyframes` and `corrupt`; the next keyframe is the first good picture."""
        self._on(name, Camera.resume)

    def jump(self, name: str, seconds: float, *, clock_s: float | None = None) -> None:
        """Let the camera's time jump, from the next packet on and for good.

        Args:
            name: of the stream.
            seconds: by which timestamps jump; negative ones go back.
            clock_s: by which the wall clock of sender reports jumps; None is as far as timestamps do.
        """
        self._on(name, lambda camera: camera.jump(seconds, seconds if clock_s is None else clock_s))

    def switch(self, name: str, path: Path) -> None:
        """Go on with another clip from its beginning: its first picture has the next one's place in time.

        Raises:
            InputError: the clip can't be served; the stream goes on as it is.
        """
        clip = self._clip(path)
        self._on(name, lambda camera: camera.switch(clip))

    def drop_clients(self, name: str) -> None:
        """Disconnect all who watch a stream or are about to, as a pulled cable would."""
        dropped = self._camera(name)
        self._drop(lambda client: client.camera is dropped)

    def hang_handshake(self, hanging: bool, *, after: int = 0) -> None:
        """Accept connections and never answer; at the end of it those that wait for an answer are disconnected.

        Args:
            hanging: whether it does from now on; who watches already is not concerned.
            after: so many requests of each connection are answered still.
        """
        self._manners.answered = after if hanging else None
        if not hanging:
            self._drop(lambda client: client.hanging)

    def shout(self, shouting: bool) -> None:
        """Answer every request with a header that does not end; who watches already is not concerned."""
        self._manners.shouting = shouting

    def demand(self, user: str | None, password: str | None) -> None:
        """Admit this login alone from now on, or everybody; who is connected already stays, and `url` has the new one.

        Raises:
            UsageError: one without the other, or a user that can't be one.
        """
        if (user is None) != (password is None):
            raise UsageError("a camera is guarded by a user and a password: give both or neither")
        login = None if user is None or password is None else (user, password)
        Manners(login).new_digest()  # refuses a user that can't be one
        self._manners.login = login

    def _set(self, name: str, change: Callable[[Faults], Faults]) -> None:
        def changed(camera: Camera) -> None:
            camera.faults = change(replace(camera.faults, ending=False))

        self._on(name, changed)

    @abstractmethod
    def _camera(self, name: str) -> Camera: ...

    @abstractmethod
    def _clip(self, path: Path) -> Clip: ...

    @abstractmethod
    def _on(self, name: str, change: Callable[[Camera], None]) -> None: ...

    @abstractmethod
    def _drop(self, which: Callable[[Connection], bool]) -> None: ...
