def badge_number(group: str, child: int) -> str:
    """Make the number on a child's badge.

    Args:
        group: the name of the group.
        child: the number of the child.
    """
    return f"{group.upper()}/{child:02d}"
