"""The online half: from a task and a time limit to a regime, and from its result to experience.

Nothing is imported here, so that choosing a regime starts without torch.
"""
