"""What is there against what is wanted: decided before anything is written."""
