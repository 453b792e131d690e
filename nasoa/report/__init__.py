"""Self-contained pages about tasks and stores: HTML with inline SVG, no scripts, no network."""
