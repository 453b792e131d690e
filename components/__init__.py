"""KFP components, one a file: each body is one import and one call of a step."""
