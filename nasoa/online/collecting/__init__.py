"""Learn beforehand: fine-tunes of known data sets (Algorithm 3, offline training)."""
