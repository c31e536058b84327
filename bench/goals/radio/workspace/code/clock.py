def beep(hour):
    # TODO: summer time
    # TODO: leap seconds
    return "beep " * hour
