"""Steps load their input, call the core and save its result.

The command line and the components call them.
"""
