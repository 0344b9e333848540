"""Where an environment is deployed to: a cluster, a directory or a branch of rendered manifests."""
