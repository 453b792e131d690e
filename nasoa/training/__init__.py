"""The one training loop, its schedules, the deadline and its clocks, frozen prefixes."""
