"""Live objects as they change."""
