import random

# TODO: fade out


def play(songs):
    return random.choice(songs)
