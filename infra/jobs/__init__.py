"""Recorded footage in bulk: jobs, cut into chunks, worked on by any number of processes.

The database says what is to be done and who does it; Celery carries word of it.
"""
