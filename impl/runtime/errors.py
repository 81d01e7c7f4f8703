"""Errors meant for the person at the keyboard; the command line prints them in one line and exits with code 2."""


class UserError(Exception):
    """A mistake that the person running the program can mend: one line saying what is wrong, where, and what to do."""


class MissingMeans(UserError):  # noqa: N818 - it names a state of the machine, not a fault of the program
    """The machine lacks something the request needs: a program, a device file, a permission.

    `remedy` is the part that says what to do, e.g. ``apt install qemu-system-arm``. The message contains it as well.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy
