"""The component's one export: runs the script at /code/main.py.

componentize-py imports this module when the runtime is built and keeps the interpreter as it is then, so everything that
is imported here is there at once in every run, and nothing else can be imported later.
"""

import gc
import os
import sys

import componentize_py_types
import wit_world.exports
from wit_world.imports import environment, exit

from runner import library, report, script

library.load()


class Run(wit_world.exports.Run):
    """`wasi:cli/run`."""

    def run(self) -> None:
        try:
            status = script.run(environment.get_arguments())
        except BaseException as error:
            status = report.tell(error)
        if status:
            leave(status)


def leave(status: int) -> None:
    """Ends the run as failed; does not return."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    exit.exit_with_code(status)
    raise componentize_py_types.Err(None)


# What is here now lives for ever: no collection looks at it again, so its pages stay as they were built.
gc.collect()
gc.freeze()
