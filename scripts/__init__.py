"""Commands for developers, called by ./dev."""
