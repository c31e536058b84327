"""The sowing calendar on the shed door."""


def sowing_month(crop: str) -> str:
    """Look up the month in which a crop is sown in our gardens.

    Asked as: when do we sow …; which month is for sowing …

    Args:
        crop: the name of the crop.
    """
    calendar = {
        "leek": "March", "carrot": "April", "pumpkin": "May", "kale": "June", "spinach": "August",
        "onion": "February", "broad bean": "November",
    }
    name = crop.strip().lower()
    return calendar[name if name in calendar else name.removesuffix("s")]
