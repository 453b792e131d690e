"""Serve a saved model over HTTP."""
