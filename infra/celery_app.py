"""The Celery application: `celery -A infra.celery_app worker` is a `jobs` process, `... beat` is `beat`.

Settings come from the environment, as for every process of the system.
"""

from infra.jobs.app import jobs_app
from infra.jobs.tasks import register
from infra.places import Places
from infra.settings import load_settings

settings = load_settings()
app = jobs_app(settings, Places.of(settings))
register(app)
