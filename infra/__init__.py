"""How does it run?

Settings, the command line, the footage pipeline that connects the rooms, and the demo. Later: the supervisor, the
Celery application and telemetry.
"""
