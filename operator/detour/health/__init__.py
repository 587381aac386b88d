"""From single check results to verdicts: thresholds, names that resolve, endpoints, regions. Pure functions."""
