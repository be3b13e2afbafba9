"""When a person breaks the rule: the non-compliant stretches of one track, and the one event they may become.

A short memory of the latest faces says what the person wears at this moment. A stretch begins when that turns
non-compliant and ends when it turns compliant, or when nothing was seen for a while. The first stretch that lasts the
dwell time opens the track's event; its type is the label of the longest stretch, and it is corrected once the mask
has been worn properly for the dwell time. Which labels are non-compliant is for the policy to say; the others comply.
"""

import math
from typing import Final, NamedTuple

import msgspec

from classify.evidence import log_probabilities
from storage.messages import NS_PER_S, Event, Face
from storage.words import EVENT_LABELS, MASK_LABELS, Label

MEMORY_S: Final = 0.6
"""Time constant of what the person wears "at this moment"."""

SURE: Final = 1.0
"""Lead in log-probability that a label needs to become the present one; about one sure face."""

LONGEST_GAP_NS: Final = 3 * NS_PER_S
"""A stretch does not bridge longer times without a sighting; above the 2 s between looks at a still scene."""

Labels = tuple[Label, ...]
"""Those of `EVENT_LABELS` that are non-compliant, in that order."""

CHANGE: Final = 0.15
"""How likely it is that a person wears something else from one sighting to the next, or that a face is judged wrongly."""

UNSURPRISED: Final = -2.0 * math.log(1.0 / len(MASK_LABELS))

LEAST_FACES: Final = 3
LEAST_CONFIDENCE: Final = 0.6
LEAST_DETECTION: Final = 0.4
"""A stretch opens an event only with this many faces, this mean confidence and this mean detection score: what the
detector itself doubts throughout is more likely a pattern than a person."""


class BreachRule(NamedTuple):
    """What a breach is.

    Attributes:
        dwell_ns: how long it must last.
        gap_ns: longest time without a face that a stretch bridges.
        labels: that are non-compliant.
    """

    dwell_ns: int
    gap_ns: int
    labels: Labels = EVENT_LABELS


class Stretch(msgspec.Struct):
    """A non-compliant time: first and last face, and sums over its faces."""

    started_ns: int
    last_ns: int
    faces: int = 0
    detection: float = 0.0
    weight: float = 0.0
    sums: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])

    @property
    def lasted_ns(self) -> int:
        return self.last_ns - self.started_ns

    def add(self, face: Face, weight: float, at_ns: int) -> None:
        self.last_ns = at_ns
        self.faces += 1
        self.detection += face.detection_score
        self.weight += weight
        for index, probability in enumerate(face.probabilities):
            self.sums[index] += weight * probability

    def label(self, labels: Labels) -> tuple[Label, float]:
        """That of the non-compliant `labels` with the most weight, and the mean probability of non-compliance."""
        share = {label: self.sums[MASK_LABELS.index(label)] for label in labels}
        best = max(labels, key=lambda label: share[label])
        return best, sum(share.values()) / max(self.weight, 1e-9)

    def breaks(self, dwell_ns: int, labels: Labels) -> bool:
        return (
            self.lasted_ns >= dwell_ns
            and self.faces >= LEAST_FACES
            and self.detection >= LEAST_DETECTION * self.faces
            and self.label(labels)[1] >= LEAST_CONFIDENCE
        )


class Breach(msgspec.Struct):
    """The fold's memory of one track's compliance.

    Attributes:
        present: what the person wears at this moment.
        recent: decaying log-probabilities per label of `MASK_LABELS`.
        recent_ns: when they were last brought up to date.
        stretch: the running non-compliant stretch, or None.
        compliant_ns: since when the present label is one that complies, or None.
        started_ns: of the event, once it is open.
        longest_ns, label, confidence: of its longest stretch.
        corrected_ns: since when the person complies, or None.
        best_picture: score of the best picture so far.
    """

    present: Label = Label.UNKNOWN
    recent: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    recent_ns: int | None = None
    stretch: Stretch | None = None
    compliant_ns: int | None = None
    started_ns: int | None = None
    longest_ns: int = -1
    label: Label = Label.UNKNOWN
    confidence: float = 0.0
    corrected_ns: int | None = None
    best_picture: float = 0.0

    def add(self, face: Face, weight: float, at_ns: int, rule: BreachRule) -> bool:
        """Take in the track's next face; one of weight 0 changes nothing.

        Args:
            face: the next one.
            weight: how much it can be trusted, in [0, 1].
            at_ns: its time.
            rule: what a breach is.

        Returns:
            Whether this face is the best picture so far of a running stretch.
        """
        if weight <= 0.0:
            return False
        self._remember(face, weight, at_ns)
        if self.stretch is not None and at_ns - self.stretch.last_ns > rule.gap_ns:
            self._abandon_stretch()
        if self.present in rule.labels:
            self.compliant_ns = None
            if self.stretch is None:
                self.stretch = Stretch(at_ns, at_ns)
        elif self.present is not Label.UNKNOWN:
            self._abandon_stretch()
            if self.compliant_ns is None:
                self.compliant_ns = at_ns
        if self.stretch is not None:
            self.stretch.add(face, weight, at_ns)
        self._judge(at_ns, rule)
        return self._is_best_picture(face, weight, rule.labels)

    def surprise(self, face: Face) -> float:
        """How little a face looks like what the person wears: twice the negative log-likelihood of its label."""
        if self.recent_ns is None:
            return UNSURPRISED
        highest = max(self.recent)
        worn = [math.exp(value - highest) for value in self.recent]
        total = math.fsum(worn)
        doubt = CHANGE / len(worn)
        alike = math.fsum(
            ((1.0 - CHANGE) * before / total + doubt) * now
            for before, now in zip(worn, face.probabilities, strict=True)
        )
        return -2.0 * math.log(alike)

    def event(self, track: int, last_seen_ns: int, closed: bool) -> Event | None:
        """The event as known so far, if there is one."""
        if self.started_ns is None:
            return None
        return Event(
            track=track,
            label=self.label,
            started_ns=self.started_ns,
            ended_ns=last_seen_ns,
            corrected_ns=self.corrected_ns,
            confidence=round(self.confidence, 4),
            closed=closed,
        )

    def _remember(self, face: Face, weight: float, at_ns: int) -> None:
        decay = 0.0
        if self.recent_ns is not None:
            decay = math.exp(-(at_ns - self.recent_ns) / NS_PER_S / MEMORY_S)
        for index, value in enumerate(log_probabilities(face)):
            self.recent[index] = decay * self.recent[index] + weight * value
        self.recent_ns = at_ns
        ranked = sorted(range(len(self.recent)), key=lambda index: (-self.recent[index], index))
        if self.recent[ranked[0]] - self.recent[ranked[1]] >= SURE:
            self.present = MASK_LABELS[ranked[0]]

    def _abandon_stretch(self) -> None:
        self.stretch = None
        if self.started_ns is None:
            # It came to nothing: its pictures are not of an event.
            self.best_picture = 0.0

    def _judge(self, at_ns: int, rule: BreachRule) -> None:
        stretch = self.stretch
        if stretch is not None and stretch.breaks(rule.dwell_ns, rule.labels):
            if self.started_ns is None:
                self.started_ns = stretch.started_ns
            if stretch.lasted_ns > self.longest_ns:
                self.longest_ns = stretch.lasted_ns
                self.label, self.confidence = stretch.label(rule.labels)
            self.corrected_ns = None
            return
        open_ns, compliant_ns = self.started_ns, self.compliant_ns
        if (
            open_ns is not None
            and compliant_ns is not None
            and self.corrected_ns is None
            and at_ns - compliant_ns >= rule.dwell_ns
        ):
            self.corrected_ns = compliant_ns

    def _is_best_picture(self, face: Face, weight: float, labels: Labels) -> bool:
        if self.stretch is None:
            return False
        breaking = sum(face.probabilities[MASK_LABELS.index(label)] for label in labels)
        score = weight * breaking * face.detection_score * math.sqrt(max(face.box[2:]))
        # Every better picture costs an encoding; a third better is worth one.
        if score <= 1.33 * self.best_picture:
            return False
        self.best_picture = score
        return True
