"""One technology a module; adapters do not know each other, services wire them together."""
