"""Draws up the tea rota."""


def pair(week, people):
    return people[week % len(people)], people[(week + 1) % len(people)]
