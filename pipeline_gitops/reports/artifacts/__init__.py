"""A report as files that other programs and people open."""
