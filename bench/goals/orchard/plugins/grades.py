from typing import Literal


def apple_grade(diameter: float) -> Literal["juice", "cooking", "dessert", "show"]:
    """Grade an apple by its diameter.

    Asked as: grade of an apple of … mm; which grade is …; how is an apple of … graded

    Args:
        diameter: across the widest part, in millimetres.

    >>> apple_grade(58)
    'cooking'
    """
    if diameter < 55:
        return "juice"
    if diameter < 65:
        return "cooking"
    return "dessert" if diameter < 75 else "show"
