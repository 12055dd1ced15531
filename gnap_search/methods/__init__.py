"""Methods: how networks grow and prune themselves, one file each."""
