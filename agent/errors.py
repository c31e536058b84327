"""The error tree: what is told to the planner, what is told to the person, what pauses a run.

    Exception
    ├── ToolError (tools/errors.py)     a tool could not do it: the planner and the person are told
    │   └── Refused                     it was not allowed to, and that is the end of the task
    └── ZooidError                      exit code, message, way on
        ├── UnsoundPlan                 told to the planner, which may try again
        ├── Declined                    a planner that is not sure: the next one is asked
        ├── LeaseLost                   another process has the task: what was done here is dropped
        ├── PersonError                 told to the person, and ends the run
        │   ├── UsageError 2  ConfigError 2  NotFound 2
        │   ├── ProviderUnavailable 75  KeyRefused 77
        │   ├── LimitHit 3              the run can be resumed
        │   └── StorageError 3          likewise, once there is space or another file
        │       └── DamagedRun          not that one: its file is set aside
        └── Pause 4                     the run waits for a person's word

Anything else that is raised is a defect of zooid.
"""

from __future__ import annotations

from tools.errors import ToolError


class ZooidError(Exception):
    """What is wrong, why, and the next thing to do."""

    exit_code = 1


class UnsoundPlan(ZooidError):
    """A decision that cannot be carried out; the planner is told why."""


class Declined(ZooidError):
    """A planner does not know what to do, and says so rather than guess."""


class LeaseLost(ZooidError):
    """The task that this process works on has gone to another one; nothing of it may be written here any more."""


class Refused(ToolError):
    """A person, or the run's policy, does not allow a call; no other worker is asked to get round it."""


class PersonError(ZooidError):
    """Something that only the person at the terminal can put right."""


class UsageError(PersonError):
    exit_code = 2


class ConfigError(PersonError):
    exit_code = 2


class NotFound(PersonError):
    exit_code = 2


class ProviderUnavailable(PersonError):
    """The model's server cannot answer for now."""

    exit_code = 75


class KeyRefused(PersonError):
    """The model's server does not accept the key."""

    exit_code = 77


class LimitHit(PersonError):
    """A limit of the budget was reached; what is done is kept. `task` is the one whose limit it is."""

    exit_code = 3

    def __init__(self, what: str, task: str = "root") -> None:
        super().__init__(what)
        self.task = task


class StorageError(PersonError):
    """The task tree cannot be read or written; what was committed is kept."""

    exit_code = 3


class DamagedRun(StorageError):
    """The record of a run is not what was written."""


class Pause(ZooidError):
    """The run waits for an approval or an answer."""

    exit_code = 4


def first(group: BaseException) -> BaseException:
    """The error that stopped a group of tasks: what is told to the person before anything else."""
    leaves, waiting = [], [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, PersonError)), leaves[0])
