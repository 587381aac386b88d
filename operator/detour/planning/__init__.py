"""From verdicts to what DNS should hold: the failover decision and the safety gate. Pure functions."""
