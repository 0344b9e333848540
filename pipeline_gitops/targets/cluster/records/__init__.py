"""What is written down in the cluster about an environment, and who may write there."""
