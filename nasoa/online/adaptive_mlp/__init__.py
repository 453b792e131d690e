"""The paper's predictor: an adaptive-depth MLP with hedge backpropagation (Eq. 3, 4, Theorem 1)."""
