"""The files of a run, as `main` gets them."""

import os
from collections.abc import Sequence
from functools import cached_property
from io import BufferedReader, BufferedWriter

INPUTS = "/inputs"
OUTPUTS = "/outputs"
OWNERS = "/outputs/owner"


class Numbered(Sequence):
    """The files of a folder that are named by the inputs' numbers; each is opened when it is first asked for."""

    FOLDER: str
    MODE: str

    def __init__(self) -> None:
        self._files: list[BufferedReader | BufferedWriter | None] = [None] * count()

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        if self._files[place] is None:
            self._files[place] = open(f"{self.FOLDER}/{place}", self.MODE)
        return self._files[place]


class Inputs(Numbered):
    """The input files, in the task's order."""

    FOLDER, MODE = INPUTS, "rb"


class Owners(Numbered):
    """One output for each input's owner, created when it is first asked for."""

    FOLDER, MODE = OWNERS, "wb"


class Outputs:
    """The output files; each is created when it is first asked for."""

    @cached_property
    def creator(self) -> BufferedWriter:
        """For the creator of the task alone."""
        return open(f"{OUTPUTS}/creator", "wb")

    @cached_property
    def shared(self) -> BufferedWriter:
        """For all participants."""
        return open(f"{OUTPUTS}/shared", "wb")

    @cached_property
    def owner(self) -> Owners:
        """For the owner of the input with the same number alone."""
        return Owners()


def count() -> int:
    """How many inputs there are."""
    return len(os.listdir(INPUTS))


def any_output() -> bool:
    """Whether anything was created."""
    return bool(os.listdir(OWNERS)) or len(os.listdir(OUTPUTS)) > 1
