"""Where a person's face will be: a constant-velocity Kalman filter per axis.

Kalman, "A new approach to linear filtering and prediction problems", 1960, with white-noise acceleration. Horizontal
and vertical place and the logarithm of the size are filtered independently, so that plain numbers are enough: the state
can be stored anywhere and gives the same bits everywhere. Lengths count in face widths: a near face moves more pixels.
"""

import math
from typing import Final

import msgspec

from storage.messages import Box

MEASUREMENT_WIDTHS: Final = 0.2
"""Standard deviation of a detected box's centre, in face widths."""

MEASUREMENT_LOG_SIZE: Final = 0.12
START_SPEED_WIDTHS: Final = 5.0
"""Standard deviation of a new face's unknown speed, in face widths a second: a brisk walk across."""

START_LOG_SPEED: Final = 0.4
NOISE_WIDTHS: Final = 2.0
"""Spectral density of the acceleration, in widths^2 / s^3, of somebody who stands."""

NOISE_SPEED: Final = 0.1
"""What it grows by with the square of the speed, per second: whoever walks fast can stop all at once."""

SWERVE_S: Final = 0.12
"""Standard deviation of the place of somebody who has just stopped, or turned around, as the way made in this time."""

NOISE_LOG_SIZE: Final = 0.02


class Axis(msgspec.Struct, array_like=True):
    """Position, speed and their covariance (position, mixed, speed)."""

    position: float
    speed: float
    pp: float
    ps: float
    ss: float

    def predict(self, dt_s: float, noise: float) -> None:
        """Move on by `dt_s` seconds; `noise` is the acceleration's spectral density."""
        self.position += self.speed * dt_s
        self.pp += dt_s * (2.0 * self.ps + dt_s * self.ss) + noise * dt_s**3 / 3.0
        self.ps += dt_s * self.ss + noise * dt_s**2 / 2.0
        self.ss += noise * dt_s

    def distance(self, measured: float, variance: float) -> float:
        """Negative log-likelihood (times two, without the constant) of a measurement."""
        total = self.pp + variance
        return (measured - self.position) ** 2 / total + math.log(total)

    def deviation(self, measured: float, variance: float) -> float:
        """Squared distance of a measurement in standard deviations."""
        return (measured - self.position) ** 2 / (self.pp + variance)

    def update(self, measured: float, variance: float) -> None:
        """Take in a measurement with that variance."""
        total = self.pp + variance
        gain_p, gain_s = self.pp / total, self.ps / total
        innovation = measured - self.position
        self.position += gain_p * innovation
        self.speed += gain_s * innovation
        self.ss -= gain_s * self.ps
        self.ps *= 1.0 - gain_p
        self.pp *= 1.0 - gain_p


class MotionModel(msgspec.Struct, array_like=True):
    """Place and size of one face."""

    x: Axis
    y: Axis
    log_size: Axis

    @classmethod
    def at(cls, box: Box) -> "MotionModel":
        """A face just found, of unknown speed."""
        x, y, log_size = measured(box)
        size = math.exp(log_size)
        place, speed = (MEASUREMENT_WIDTHS * size) ** 2, (START_SPEED_WIDTHS * size) ** 2
        return cls(
            Axis(x, 0.0, place, 0.0, speed),
            Axis(y, 0.0, place, 0.0, speed),
            Axis(log_size, 0.0, MEASUREMENT_LOG_SIZE**2, 0.0, START_LOG_SPEED**2),
        )

    @property
    def size(self) -> float:
        """Predicted face width in pixels."""
        return math.exp(self.log_size.position)

    @property
    def box(self) -> Box:
        """Predicted box."""
        size = self.size
        return round(self.x.position - size / 2), round(self.y.position - size / 2), round(size), round(size)

    @property
    def speed_widths(self) -> float:
        """Speed in face widths a second."""
        return math.hypot(self.x.speed, self.y.speed) / self.size

    def predict(self, dt_s: float) -> None:
        """Move on by `dt_s` seconds, above 0."""
        noise = (NOISE_WIDTHS + NOISE_SPEED * self.speed_widths**2) * self.size**2
        self.x.predict(dt_s, noise)
        self.y.predict(dt_s, noise)
        self.log_size.predict(dt_s, NOISE_LOG_SIZE)

    def loosened(self) -> "MotionModel":
        """The same face with a speed as unknown as that of a new one: it may have stopped, or turned around, all at once."""
        noise = (START_SPEED_WIDTHS * self.size) ** 2
        place = (SWERVE_S * self.speed_widths * self.size) ** 2
        return MotionModel(
            Axis(self.x.position, self.x.speed, self.x.pp + place, self.x.ps, self.x.ss + noise),
            Axis(self.y.position, self.y.speed, self.y.pp + place, self.y.ps, self.y.ss + noise),
            self.log_size,
        )

    def compare(self, box: Box) -> tuple[float, float, float]:
        """Compare with a found face.

        Returns:
            Cost (twice the negative log-likelihood), squared deviation in standard deviations (three degrees of
            freedom), and the distance of the centres in face widths.
        """
        x, y, log_size = measured(box)
        # Uncertainty that has grown over a long gap must not shrink with the predicted size.
        size = max(self.size, math.exp(log_size))
        place = (MEASUREMENT_WIDTHS * size) ** 2
        cost = (
            self.x.distance(x, place)
            + self.y.distance(y, place)
            + self.log_size.distance(log_size, MEASUREMENT_LOG_SIZE**2)
        )
        deviation = (
            self.x.deviation(x, place)
            + self.y.deviation(y, place)
            + self.log_size.deviation(log_size, MEASUREMENT_LOG_SIZE**2)
        )
        return cost, deviation, math.hypot(x - self.x.position, y - self.y.position) / size

    def update(self, box: Box) -> None:
        """Take in a found face."""
        x, y, log_size = measured(box)
        place = (MEASUREMENT_WIDTHS * math.exp(log_size)) ** 2
        self.x.update(x, place)
        self.y.update(y, place)
        self.log_size.update(log_size, MEASUREMENT_LOG_SIZE**2)


def measured(box: Box) -> tuple[float, float, float]:
    """Centre and logarithm of the size of a box."""
    x, y, width, height = box
    return x + width / 2.0, y + height / 2.0, math.log(max(width, height))
