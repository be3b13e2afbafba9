"""Who may ask what?

The HTTP API and a plain page: routes that read the database through the repositories of `storage`, and ask the other
rooms over the bus. In: requests of people at this machine, and of accounts and keys from anywhere. Out: the shapes of `api.shapes`, and
problem details for everything that goes wrong.
"""
