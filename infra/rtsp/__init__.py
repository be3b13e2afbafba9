"""A network camera to test against: recorded clips served as live cameras over RTSP, which misbehave on command.

In go H.264 files; out come streams that a client can't tell from a camera's: one clock for all who watch, paced in wall time, digest
authentication, sender reports. For tests, the demo and benchmarks on this machine alone; start at `server.RtspServer`, at
`trouble.Trouble` for what can go wrong, and at `process.RtspProcess` for a server in a process of its own.
"""
