"""Kubernetes: one source of what is declared, and one sink of what is reported. The engine runs without it."""
