"""What a plan can call: the registry, the built-in tools, plugins, micro-models and the forge."""
