"""Detour keeps DNS names pointing at places that work."""

__version__ = "0.1.0"
