"""The parts of the supervisor: the data folder it claims, the processes it keeps, what it hears of them.

`infra.supervisor` puts them together.
"""
