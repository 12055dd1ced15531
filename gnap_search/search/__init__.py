"""The search: Optuna proposes, Ray Tune spreads, a run folder remembers."""
