"""Steps: load, call the core, save. The command line and the components call these."""
