def between_beeps(text: str) -> str:
    """Put a text between two beeps."""
    return f"BEEP\n{text.strip()}\nBEEP"
