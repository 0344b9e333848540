"""How rules are written: a file per tool that has a form of its own for them."""
