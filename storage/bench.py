"""How a role works on its tasks, and what comes of them: what a stateless worker gives to its loop, see `storage.shift`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from storage.messages import Found, Message, Sample

T = TypeVar("T", Sample, Found)
T_contra = TypeVar("T_contra", Sample, Found, contravariant=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some tasks: finds for `classify`, messages for the aggregator."""

    found: tuple[Found, ...] = ()
    messages: tuple[Message, ...] = ()


class Plan(Protocol[T_contra]):
    """Which of the tasks at hand come next. Without one they are worked on as they come."""

    hold: int
    """Most tasks at hand."""

    def choose(self, waiting: Sequence[T_contra]) -> list[int]:
        """The places of those to work on now, at least one; `waiting` is never empty, the oldest first."""
        ...

    def wait_s(self, waiting: Sequence[T_contra]) -> float:
        """For how long it pays to wait for more of them; 0 where nothing is gained."""
        ...

    def overdue(self, waiting: Sequence[T_contra]) -> list[int]:
        """The places of those that are given up."""
        ...

    def lose(self, tasks: Sequence[T_contra]) -> tuple[Message, ...]:
        """What to say of those that are given up."""
        ...

    def release(self, tasks: Sequence[T_contra]) -> None:
        """Called when it has been said."""
        ...


def _seen(_: Sample | Found) -> bool:
    return True


def _not_gone(_: Sample | Found) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Bench(Generic[T]):
    """How a role works on its tasks.

    Attributes:
        work: the outcome of one or more tasks; exceptions are taken for the tasks' fault, but for `BusError`.
        rescue: the outcome of one task that killed its workers, found in a process of its own; None where that dies too, or
            where it was cut short because the worker is to stop.
        set_aside: the outcome of a task that can't be done, with the reason.
        batch: most tasks worked on at once, without a plan.
        sees: whether the task's picture can be seen from here.
        gone: whether nobody can see it any more; may raise BusError.
        plan: which come next.
    """

    work: Callable[[Sequence[T]], Outcome]
    rescue: Callable[[T], Outcome | None]
    set_aside: Callable[[T, str], Outcome]
    batch: int
    sees: Callable[[T], bool] = _seen
    gone: Callable[[T], bool] = _not_gone
    plan: Plan[T] | None = None
