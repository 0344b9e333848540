"""What a merge request is told, and what a deploy is held to that was shown there."""
