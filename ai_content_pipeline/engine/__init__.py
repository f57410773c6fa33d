"""Plan, schedule, run: from an expansion to files in the output folder."""
