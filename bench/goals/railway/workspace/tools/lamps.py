def lamp_state(hour):
    # FIXME: fog is not considered
    return "lit" if hour >= 18 or hour < 6 else "out"
