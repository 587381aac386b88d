"""Wiring: the engine that connects declarations, checks, planner and enactors, and everything around the process."""
