"""Emulated DNS APIs of the three clouds, strict as the services are, and what they have in common."""
