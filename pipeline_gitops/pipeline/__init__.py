"""The story: in which order things happen. The only caller of the ports."""
