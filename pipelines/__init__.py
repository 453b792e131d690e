"""KFP pipelines: definitions, compilation, local runs, and the client of a cluster."""
