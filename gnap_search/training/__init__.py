"""Training: one trial, from its seed to its finish, without Ray or Optuna."""
