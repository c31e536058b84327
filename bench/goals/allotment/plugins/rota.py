"""Who does what, and the gate."""

PAIRS = ["Priya and Oskar", "Wanda and Tom", "Femi and Ruth", "Dolores and Kit", "Agnes and Yusuf"]


def tea_duty(week: int) -> str:
    """Say which two members are on tea duty in a week of the year.

    Asked as: who makes the tea in week …; tea duty of week …

    Args:
        week: the number of the week, 1 to 53.

    >>> tea_duty(1)
    'Wanda and Tom'
    """
    return PAIRS[week % len(PAIRS)]


def gate_code(day: str) -> str:
    """The code of the garden gate on a day of the week."""
    codes = {
        "monday": "4471", "tuesday": "9038", "wednesday": "1526", "thursday": "7719",
        "friday": "3350", "saturday": "6284", "sunday": "8802",
    }
    return codes[day.strip().lower().removesuffix("s")]
