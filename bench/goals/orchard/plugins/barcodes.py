def complete_barcode(digits: str) -> str:
    """Complete the twelve digits of a product's barcode with their check digit (EAN-13).

    Asked as: complete the barcode …; the full barcode for …; add the check digit to …

    Args:
        digits: the first twelve digits.

    >>> complete_barcode("400638133393")
    '4006381333931'
    """
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)
