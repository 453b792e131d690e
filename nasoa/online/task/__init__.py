"""Meta-features of a task, and probes of models on it (section 3.2.1)."""
