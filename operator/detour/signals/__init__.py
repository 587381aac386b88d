"""Adapters for what is said of regions outside: status pages of clouds, Prometheus, and users' reports."""
