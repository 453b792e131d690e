"""Meta-training: fine-tunes of meta-training data sets (Algorithm 3, offline training)."""
