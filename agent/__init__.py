"""The loop and what it needs: tasks, planners, checks, budget, policy, store, events."""
