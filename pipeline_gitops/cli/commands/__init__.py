"""The commands, a module each; each is loaded only when it is called."""
