"""Simulation: the product's own decisions and writes on a virtual clock, with everything around them out to get it.

A `schedule` says what is installed and what befalls it; it is drawn from one seed by the `generator`. A `run` plays it:
each `controller` is an operator process with the real engine, zones, enactors, fence and leader election; the `weather`
delays and loses its calls; `faults` and `outsiders` do the rest. What happened is a `history`, over which the
`invariants` are pure functions. `mutants` switch protections off, to show that each is missed when it is gone.
"""
