# FIXME: vegetarians
# FIXME: allergies
def loaves(children):
    return children // 4
