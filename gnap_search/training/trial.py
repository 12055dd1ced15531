"""Trial: one training in its own folder, which survives being killed at any moment."""
