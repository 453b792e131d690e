"""The container image that every component runs in, and its user."""

from __future__ import annotations

import os

from nasoa import __version__

# Read when a pipeline is compiled: set NASOA_IMAGE to the name of the pushed image.
IMAGE = os.environ.get("NASOA_IMAGE", f"nasoa:{__version__}")

# User and group id in images/*.Dockerfile. It is numeric, because Kubernetes cannot tell from a
# name that a user is not root.
USER_ID = 10001
