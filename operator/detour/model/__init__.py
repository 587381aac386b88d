"""The words of the problem as frozen values: names, RRsets, endpoints, checks, records, zones, regions.

Nothing here does I/O, reads a clock or knows Kubernetes or a cloud. Everything else is written in these types.
"""
