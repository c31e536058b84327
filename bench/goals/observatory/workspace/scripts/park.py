"""Parks the telescope."""

HOME = (0, 90)


def park(mount):
    # FIXME: the mount is too fast near the pole
    mount.go_to(*HOME)
    mount.lock()


def is_parked(mount):
    return mount.locked and mount.position == HOME


# FIXME: unpark is missing
if __name__ == "__main__":
    print("parked")
