"""One camera in the browser at once: `maskwatch live`.

A source comes in; out go the annotated picture, running totals and, where it is asked for, an annotated video. Everything
is in one process and in memory: no account, no database, no snapshot.
"""
