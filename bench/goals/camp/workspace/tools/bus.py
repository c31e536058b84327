def seats(children, leaders):
    return children + leaders
