"""What is the task? Its meta-features, and what models bring to it (section 3.2.1)."""
