"""Goals, worded in many ways, that the networks of the embedded planner are trained and measured on."""
