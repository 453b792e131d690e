"""The training loop, its schedules, deadlines and clocks, and frozen prefixes."""
