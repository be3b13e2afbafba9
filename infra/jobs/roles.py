"""The roles `jobs` and `beat`, as the supervisor and `maskwatch serve` start them."""

from typing import Final

from infra.jobs.app import jobs_app
from infra.jobs.rounds import Rounds
from infra.post import Post

LONGEST_WAIT_S: Final = 0.5
"""Between two looks at what is due; signs of life come as often."""


def run_jobs(post: Post) -> None:
    """Work on jobs until asked to stop."""
    from infra.jobs.tasks import register

    app = jobs_app(post.settings, post.places)
    register(app)
    app.post = post
    app.Worker(hostname=post.name, loglevel="WARNING", quiet=True).start()


def run_beat(post: Post) -> None:
    """Send what is due, until asked to stop."""
    rounds = Rounds(app=jobs_app(post.settings, post.places))
    while not post.pulse.stopping:
        wait_s = min(rounds.tick(), LONGEST_WAIT_S)
        post.pulse.beat(done=rounds.sent, trouble=rounds.trouble)
        post.pulse.wait(wait_s)
