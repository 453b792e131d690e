"""The online stage: select a regime for a task and a time limit, and learn from its result.

Nothing is imported here, so that selecting a regime does not import torch.
"""
