"""Tells the author what went wrong, on standard error, of which the host shows the last dozen lines."""

import sys
import traceback
from collections.abc import Iterator

from runner import script

FRAMES = 3
"""The script's innermost calls that are shown: with the error they fit into what the host shows."""

WIDTH = 200
"""Characters of the longest line of source that is shown."""


def tell(error: BaseException) -> int:
    """Writes what there is to say about it and returns the exit status that it means."""
    if isinstance(error, SystemExit):
        return leaving(error)
    if isinstance(error, MemoryError):
        # What the calls hold is in the way of saying so.
        traceback.clear_frames(error.__traceback__)
    try:
        text = "".join(shortened(error).format())
    except MemoryError:
        text = f"{type(error).__name__} in line {line(error)} of {script.PATH}\n"
    sys.stdout.flush()
    sys.stderr.write(text)
    return 1


def leaving(error: SystemExit) -> int:
    """As the interpreter itself takes `sys.exit`, except that no other status turns into 0."""
    match error.code:
        case None:
            status = 0
        case int(code):
            status = code & 0xFF if code == 0 or code & 0xFF else 1
        case message:
            print(message, file=sys.stderr)
            status = 1
    error.__traceback__ = None
    if status == 0:
        finish()
    return status


def finish() -> None:
    """The end of a script that left by itself, and well."""
    script.end(sys.modules.get("main") or sys.modules["__main__"])


def shortened(error: BaseException) -> traceback.TracebackException:
    """Only the script's own calls: those of this runner and of the library say nothing to its author."""
    told = traceback.TracebackException.from_exception(error)
    for one in chain(told):
        own = [frame for frame in one.stack if frame.filename == script.PATH]
        one.stack = traceback.StackSummary.from_list([short(frame) for frame in own[-FRAMES:]])
        if len(getattr(one, "text", None) or "") > WIDTH:
            one.text = None
    return told


def short(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    """Without its line of source if that would push out everything else."""
    if len(frame.line or "") <= WIDTH:
        return frame
    return traceback.FrameSummary(frame.filename, frame.lineno, frame.name, line="…")


def chain(told: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    """The error and those that it came from."""
    while told is not None:
        yield told
        told = told.__cause__ or told.__context__


def line(error: BaseException) -> int | str:
    """Where in the script it happened."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == script.PATH]
    return lines[-1] if lines else "?"
