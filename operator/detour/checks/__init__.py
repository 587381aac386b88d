"""The I/O of health checks: which addresses may be probed, how, when, and how host names become addresses.

`scheduler` decides when a target is due, `run` makes one check of it, `guard` is asked before any packet leaves, and
`http`, `tcp` and `dns` hold the probes. What results mean for an endpoint is decided in `detour.health`.
"""
