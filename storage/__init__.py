"""What the system keeps, in flight and at rest.

The lowest room: the words every other room speaks (labels, messages, report), errors, atomic files and snapshot
pictures. Later: the Redis bus, the frame store, the database and its repositories. It imports nothing of ours.
"""
