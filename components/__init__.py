"""KFP components, one per file; the body of each is one import and one call of a step."""
