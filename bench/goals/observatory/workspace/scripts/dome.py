"""Opens and closes the dome."""


def open_dome(motor):
    # FIXME: wait for the rain sensor first
    motor.turn(90)
    return motor.position


def close_dome(motor):
    motor.turn(-90)
    return motor.position
