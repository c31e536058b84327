"""Running code that is not ours: the pure tier (`pure`), the full tier (`full`), and the attacks that test them.

Nothing is imported here: the zygote starts from this package, and what it imports is paid for by every cold start.
"""

unsafe = False
"""Whether the person has said that code may run without a sandbox where none holds."""
protected: tuple[str, ...] = ()
"""Paths that no run may write although they lie in the workspace: plugins are loaded from them."""
hidden: tuple[str, ...] = ()
"""Paths that no run may read: keys are kept there."""
seconds: float = 58.0
"""How long a run may take: less than what a call of a tool may, so that it is the run that ends."""
