"""One API server: how it is reached, what it serves, and what it answers."""
