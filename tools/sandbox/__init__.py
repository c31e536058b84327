"""Running code that is not ours: the pure tier (`pure`), the full tier (`full`), and the attacks that test them.

Nothing is imported here: the zygote starts from this package, and what it imports is paid for by every cold start.
"""
