"""What becomes of what was applied: looked at, waited for, explained."""
