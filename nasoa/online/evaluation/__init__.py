"""Was it right? Progressive errors, regret, and baselines. Nothing in production imports this."""
