"""Runs the user's script in one of its two forms, or only looks whether it compiles."""

import atexit
import gc
import io
import os
import random
import sys
import types

from runner import files

PATH = "/code/main.py"
"""Where the host puts the script."""

CHECK = "/code/check"
"""Where the host puts a file, of whatever content, when the script is not to be run."""

PARAMETERS = ("payload", "inputs", "outputs")


def run(arguments: list[str]) -> int:
    """Returns the exit status; raises what the script raises."""
    prepare(arguments)
    code = load()
    if os.path.exists(CHECK):
        return 0
    module = types.ModuleType("main" if takes_files(code) else "__main__")
    module.__file__ = PATH
    sys.modules[module.__name__] = module
    exec(code, module.__dict__)
    if takes_files(code):
        payload = arguments[1] if len(arguments) > 1 else None
        give(module.main(payload, files.Inputs(), files.Outputs()))
    end(module)
    return 0


def prepare(arguments: list[str]) -> None:
    """What an interpreter does as it starts and this one did when it was built."""
    sys.argv = [PATH, *arguments[1:]]
    sys.path[:] = []
    sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(open(2, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    random.seed()


def load() -> types.CodeType:
    """The script, compiled; raises SyntaxError, also for a main with other parameters."""
    with open(PATH, "rb") as file:
        text = file.read().decode("utf-8-sig")
    code = compile(text, PATH, "exec", dont_inherit=True)
    main = main_of(code)
    if main is not None and not (fits(main) or takes_nothing(main)):
        where = (PATH, main.co_firstlineno, 1, "def main(...)")
        raise SyntaxError(f"main must take ({', '.join(PARAMETERS)}), or nothing and be called by the script itself", where)
    return code


def takes_files(code: types.CodeType) -> bool:
    """Whether the script is of the form with `def main(payload, inputs, outputs)`."""
    main = main_of(code)
    return main is not None and fits(main)


def main_of(code: types.CodeType) -> types.CodeType | None:
    """The last function called main that the script itself defines, outside of functions and classes."""
    found = [part for part in code.co_consts if isinstance(part, types.CodeType) and part.co_name == "main"]
    return found[-1] if found else None


def fits(main: types.CodeType) -> bool:
    """Whether three arguments are right; a main with more parameters has defaults for them, or says so when called."""
    return main.co_argcount >= len(PARAMETERS) or bool(main.co_flags & 0x04)


def takes_nothing(main: types.CodeType) -> bool:
    return main.co_argcount == 0


def give(result: object) -> None:
    """Writes what main returned to standard output, which is the task's result."""
    match result:
        case None:
            return
        case str():
            sys.stdout.write(result)
        case bytes() | bytearray() | memoryview():
            sys.stdout.flush()
            sys.stdout.buffer.write(result)
        case _:
            raise TypeError(f"main must return str, bytes or None, not {type(result).__name__}")


def end(module: types.ModuleType) -> None:
    """What an interpreter does as it ends: files that nobody closed are written to their end."""
    atexit._run_exitfuncs()
    if files.any_output():
        sys.modules.pop(module.__name__, None)
        module.__dict__.clear()
        gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
