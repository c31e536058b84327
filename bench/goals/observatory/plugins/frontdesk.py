"""The front desk."""


def entry_price(adults: int, children: int) -> float:
    """The price of a visit to the observatory for a number of adults and children, in euros."""
    return adults * 8.5 + children * 4.25


def badge_code(name: str) -> str:
    """Make the code that is printed on the badge of a member.

    Asked as: badge code for …; badge number of …

    Args:
        name: first and last name.
    """
    initials = "".join(part[0] for part in name.split()).upper()
    return f"{initials}-{sum(map(ord, name.lower().replace(' ', ''))) % 1000:03d}"


def on_duty(weekday: str) -> str:
    """The member who is on duty in the dome on a day of the week."""
    rota = {
        "monday": "nobody",
        "tuesday": "Femi Adeyemi",
        "wednesday": "Priya Nair",
        "thursday": "Ingrid Solberg",
        "friday": "Marek Novak",
        "saturday": "Priya Nair",
        "sunday": "Lou Baptiste",
    }
    return rota[weekday.strip().lower()]
