"""Reads the kiln controller."""
import time


def read_temperature(port):
    # FIXME: the sensor drifts above 1200
    return float(port.readline())


def hold(port, target, minutes):
    """Keeps the kiln near the target."""
    end = time.time() + 60 * minutes
    while time.time() < end:
        if read_temperature(port) < target:
            port.write(b"ON\n")
        else:
            port.write(b"OFF\n")
        # FIXME: no safety stop
        time.sleep(5)


def cool(port):
    port.write(b"OFF\n")
