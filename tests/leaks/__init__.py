"""Planted secrets are looked for in everything that a command leaves behind."""
