"""Who may ask what?

The HTTP API and the operator's console will live here: FastAPI routes that read the database through the
repositories of `storage` and ask the other rooms over the bus. Nothing is served yet.
"""
