"""What is played on the stage, and judged: the demo, scenarios, acceptance rows, the soak."""
