"""What a camera's messages come to, in whatever order they arrive: results in order, each once, through the fold.

`take(state, message)` is the whole of it; `give_up(state)` and `turn_over(state)` are for whoever watches the clock, since
nothing here has one. The state is plain data that can be stored and read back between any two messages.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from classify.fold import FoldState, Rules, finish, fold
from storage.messages import NS_PER_S, Begin, Changes, End, FrameRef, Lost, Message, Result

STEP_BACK_NS: Final = 2 * NS_PER_S
"""A live camera's clock that is set back by more than this starts anew; by less, its samples are moved up behind the last."""


class CameraState(msgspec.Struct):
    """The memory of one camera.

    Attributes:
        begun: the present epoch, or None before the first.
        next_seq: number of the sample that is due.
        waiting: samples beyond a gap, by number; None for those that were shed, as an earlier version wrote them.
        gone: numbers of those that were shed beyond a gap, first and last of each stretch, in order. What waits within
            one came before it was said to be shed.
        end_seq: number of all samples of the epoch, once its end is known.
        turn_seq: likewise, once it is known that another epoch goes on from it: whoever is in view stays.
        later: messages of later epochs, as they came.
        last_ns: time of the last sample in the fold.
        fresh: no sample of the present epoch is in the fold yet.
        fold: who is in view.
    """

    begun: Begin | None = None
    next_seq: int = 0
    waiting: dict[int, Result | None] = msgspec.field(default_factory=dict)
    gone: list[tuple[int, int]] = msgspec.field(default_factory=list)
    end_seq: int | None = None
    turn_seq: int | None = None
    later: list[Message] = msgspec.field(default_factory=list)
    last_ns: int | None = None
    fresh: bool = True
    fold: FoldState = msgspec.field(default_factory=FoldState)


class Step(msgspec.Struct, frozen=True):
    """A result went through the fold (None: the fold was finished), and what it changed."""

    result: Result | None
    changes: Changes


class Taken(msgspec.Struct):
    """What came of a message.

    Attributes:
        steps: in order.
        frames: held for results that are done with.
        lost: number of samples that are given up.
        reset: the footage begins anew: all that is known of the camera is void, before the steps.
        broken: why who was in view had to be forgotten, or None.
        dirty: whether the state changed.
    """

    steps: list[Step] = msgspec.field(default_factory=list)
    frames: list[FrameRef] = msgspec.field(default_factory=list)
    lost: int = 0
    reset: bool = False
    broken: str | None = None
    dirty: bool = False


class Stuck(Enum):
    """What a live camera waits for."""

    NOTHING = auto()
    SAMPLE = auto()
    EPOCH = auto()


def stuck(state: CameraState) -> Stuck:
    """What, if anything, a live camera's results wait for; footage waits without a limit."""
    if state.begun is None or not state.begun.live:
        return Stuck.NOTHING
    if _gap(state):
        return Stuck.SAMPLE
    return Stuck.EPOCH if state.later else Stuck.NOTHING


def take(state: CameraState, message: Message) -> Taken:
    """Take in a message of the camera, whether new, late, or seen before.

    Args:
        state: brought up to date in place.
        message: of the state's camera.
    """
    taken = Taken()
    _take(state, message, taken)
    return taken


def give_up(state: CameraState) -> Taken:
    """Wait no longer for the samples before the first one that is there: they are lost."""
    taken = Taken()
    _skip_gap(state, taken)
    _advance(state, taken)
    return taken


def turn_over(state: CameraState) -> Taken:
    """Wait no longer for the present epoch: go on with the next one."""
    taken = Taken()
    begun = state.begun
    while _gap(state) and state.begun is begun:
        _skip_gap(state, taken)
        _advance(state, taken)
    # Where the end of the epoch was known, the next one has begun by now.
    if state.begun is begun:
        _next_epoch(state, taken)
    return taken


def abandon(state: CameraState) -> Taken:
    """Nobody watches this camera any more: whoever was in view is gone."""
    taken = Taken()
    if state.fold.tracks and state.begun is not None:
        _step(state, None, Rules.of(state.begun), taken)
        state.last_ns = None
        taken.dirty = True
    return taken


def is_over(state: CameraState) -> bool:
    """Whether all samples of the present epoch are in the fold, and its end is known."""
    return state.end_seq is not None and state.next_seq >= state.end_seq


def _turns(state: CameraState) -> bool:
    """Whether all samples of the present epoch are in the fold, and another one goes on from it."""
    return state.turn_seq is not None and state.next_seq >= state.turn_seq


def _take(state: CameraState, message: Message, taken: Taken) -> None:
    epoch = -1 if state.begun is None else state.begun.epoch
    if state.begun is None and not isinstance(message, Begin):
        # Its beginning is lost: nobody knows what to judge it by.
        _drop(message, taken)
        taken.lost += isinstance(message, Result)
    elif message.epoch < epoch or (message.epoch == epoch and isinstance(message, Begin)):
        _drop(message, taken)
    elif message.epoch > epoch:
        _take_later(state, message, taken)
    elif isinstance(message, Result):
        known = message.seq in state.waiting
        shed = state.waiting[message.seq] is None if known else _shed_upto(state, message.seq) is not None
        if message.seq < state.next_seq or shed:
            _drop(message, taken)
        elif not known:
            # Of one that waits already, this is a second copy: both name the same pixels, which are still needed.
            state.waiting[message.seq] = message
            taken.dirty = True
    elif isinstance(message, Lost):
        _take_lost(state, message, taken)
    elif isinstance(message, End):
        taken.dirty |= state.end_seq is None
        state.end_seq = message.seq
    _advance(state, taken)


def _take_lost(state: CameraState, lost: Lost, taken: Taken) -> None:
    """Note a stretch, joined with those that it touches: an outage of a day is one."""
    first, last = max(lost.first, state.next_seq), lost.last
    if first > last:
        return
    apart = []
    for stretch in state.gone:
        if stretch[0] > last + 1 or stretch[1] < first - 1:
            apart.append(stretch)
        else:
            first, last = min(first, stretch[0]), max(last, stretch[1])
    gone = sorted([*apart, (first, last)])
    taken.dirty |= gone != state.gone
    state.gone = gone


def _shed_upto(state: CameraState, seq: int) -> int | None:
    """The last of the stretch of samples that were shed to which a number belongs, or None."""
    return next((last for first, last in state.gone if first <= seq <= last), None)


def _take_later(state: CameraState, message: Message, taken: Taken) -> None:
    """A message of an epoch that is not the present one yet."""
    if isinstance(message, Begin) and (state.begun is None or not message.live):
        if state.begun is not None:
            _void(state, taken)
        _begin(state, message, taken)
        return
    if message not in state.later:
        state.later.append(message)
        taken.dirty = True
    if isinstance(message, Begin) and message.after is not None and state.begun is not None:
        before, samples = message.after
        if before == state.begun.epoch:
            state.turn_seq = samples
    if is_over(state) or _turns(state):
        _next_epoch(state, taken)


def _begin(state: CameraState, begin: Begin, taken: Taken) -> None:
    before = state.begun
    # Where one epoch goes on from another, nobody failed to look in between.
    goes_on = begin.after is not None and before is not None and begin.after[0] == before.epoch
    state.begun, state.next_seq, state.fresh = begin, 0, not goes_on
    state.end_seq = state.turn_seq = None
    state.gone = []
    taken.dirty = True


def _void(state: CameraState, taken: Taken) -> None:
    """Footage begins anew: nothing of the earlier attempt counts."""
    for result in state.waiting.values():
        if result is not None:
            _drop(result, taken)
    for message in state.later:
        _drop(message, taken)
    state.waiting, state.gone, state.later, state.last_ns, state.fold = {}, [], [], None, FoldState()
    taken.reset = True


def _next_epoch(state: CameraState, taken: Taken) -> None:
    """Begin the earliest of the epochs that wait, and take in what is there of it."""
    later, state.later = state.later, []
    begins = [message for message in later if isinstance(message, Begin)]
    if not begins:
        # The bus lost their beginning: nobody knows what to judge them by.
        for message in later:
            _drop(message, taken)
            taken.lost += isinstance(message, Result)
        taken.dirty |= bool(later)
        return
    begin = min(begins, key=lambda begin: begin.epoch)
    _begin(state, begin, taken)
    for message in later:
        if message is not begin:
            _take(state, message, taken)


def _known_end(state: CameraState) -> int | None:
    return state.turn_seq if state.end_seq is None else state.end_seq


def _gap(state: CameraState) -> bool:
    end_seq = _known_end(state)
    return bool(state.waiting or state.gone) or (end_seq is not None and state.next_seq < end_seq)


def _skip_gap(state: CameraState, taken: Taken) -> None:
    if not _gap(state):
        return
    known = [*state.waiting, *(first for first, _ in state.gone)]
    until = min(known) if known else _known_end(state)
    if until is not None and until > state.next_seq:
        taken.lost += until - state.next_seq
        state.next_seq = until
        taken.dirty = True


def _advance(state: CameraState, taken: Taken) -> None:
    """Fold all that is in order."""
    while True:
        if state.next_seq in state.waiting:
            result = state.waiting.pop(state.next_seq)
            state.next_seq += 1
            if result is None:
                taken.lost += 1
            else:
                _fold(state, result, taken)
        elif (last := _shed_upto(state, state.next_seq)) is not None:
            until = min((seq for seq in state.waiting if seq <= last), default=last + 1)
            taken.lost += until - state.next_seq
            state.next_seq = until
        else:
            break
    state.gone = [(first, last) for first, last in state.gone if last >= state.next_seq]
    if is_over(state) and state.begun is not None and state.last_ns is not None:
        _step(state, None, Rules.of(state.begun), taken)
        state.last_ns = None
        taken.dirty = True
    if (is_over(state) or _turns(state)) and state.later:
        _next_epoch(state, taken)


def _fold(state: CameraState, result: Result, taken: Taken) -> None:
    begun = state.begun
    if begun is None:
        return
    last_ns, rules = state.last_ns, Rules.of(begun)
    if last_ns is not None and result.at_ns <= last_ns - STEP_BACK_NS:
        _step(state, None, rules, taken)
    elif last_ns is not None and result.at_ns <= last_ns:
        result = msgspec.structs.replace(result, at_ns=last_ns + 1)
    if state.fresh and begun.live and last_ns is not None:
        # Between two epochs nobody looked; what was lost since the new one began is counted already.
        taken.lost += max(0, round((result.at_ns - last_ns) / begun.sample_ns) - 1 - result.seq)
    state.fresh = False
    _step(state, result, rules, taken)
    state.last_ns = result.at_ns
    _drop(result, taken)


def _step(state: CameraState, result: Result | None, rules: Rules, taken: Taken) -> None:
    """Fold a result, or finish the fold; a fold that fails forgets who is in view, and goes on."""
    try:
        changes = finish(state.fold, rules) if result is None else fold(state.fold, result, rules)
    except Exception as error:  # noqa: BLE001 whatever is wrong with one camera must not stop the others
        state.fold = FoldState(last_number=state.fold.last_number)
        taken.broken = f"{type(error).__name__}: {error}"
        taken.lost += result is not None
        taken.dirty = True
    else:
        taken.steps.append(Step(result, changes))


def _drop(message: Message, taken: Taken) -> None:
    """Nobody needs the pixels of this one any more."""
    if isinstance(message, Result) and message.frame is not None:
        taken.frames.append(message.frame)
