"""Hosts in real time. This is the only module of the stack that reads the wall clock, sleeps, or has a thread.

One thread owns the links and the stacks over them, so neither needs a lock. Other threads hand it functions (`submit`)
and get futures; it wakes them by setting those. While it does not sleep, handing over costs no system call.
"""

import contextlib
import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures import wait as wait_for_any
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from wirelaw.impl.device.link import Link
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.stack import Stack
from wirelaw.impl.runtime.entropy import SystemEntropy

T = TypeVar("T")

LONGEST_SLEEP: Final = 0.05
"""Seconds after which the links are looked at in any case: a wake-up lost by a device costs no more than this."""

BATCH: Final = 64


class Closable(Protocol):
    """Something to close after the links, such as the machine behind them."""

    def close(self) -> None:
        """Free it."""


class _Command(NamedTuple):
    """What another thread asks for; `refuse` takes the place of `run` when the loop has ended."""

    run: Callable[[], None]
    refuse: Callable[[], None]


class Opened(NamedTuple):
    """What an opener returns: links, each with its host's configuration, and what to close after them."""

    stations: Sequence[tuple[Link, HostConfig]]
    backing: Sequence[Closable] = ()
    forwards: Mapping[int, int] = {}
    """Our TCP ports -> ports of this machine's 127.0.0.1 that lead to them."""


class Loop:
    """Drives the hosts on one set of links until closed."""

    def __init__(self, opener: Callable[[], Opened]) -> None:
        """Start the thread, which calls `opener`; what that raises, this raises.

        The links are opened in the thread because an emulator may live only as long as the thread that started it.
        """
        self.ended: Future[None] = Future()
        """Done when the loop has ended; holds the exception if a defect ended it."""
        self._commands: deque[_Command] = deque()
        self._watched: set[Future[Any]] = set()
        self._asleep = False
        self._stopping = False
        self._closing = threading.Lock()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stations: list[tuple[Link, Stack]] = []
        self.forwards: Mapping[int, int] = {}
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, args=(opener, opened), name="wirelaw", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            self._thread.join()
            self._close_event()
            raise

    @property
    def stacks(self) -> list[Stack]:
        """The stacks, in the opener's order. Touch them only from functions given to `call` or `submit`."""
        return [stack for _, stack in self._stations]

    @property
    def links(self) -> list[Link]:
        """The links, in the opener's order."""
        return [link for link, _ in self._stations]

    def submit(self, function: Callable[[], T]) -> "Future[T]":
        """Have the loop's thread run `function`; its outcome comes through the future. May be called by any thread."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:
                    future.set_exception(error)

        def refuse() -> None:
            if future.set_running_or_notify_cancel():
                future.set_exception(OSError(errno.ENETDOWN, "the host is closed"))

        self._commands.append(_Command(run, refuse))
        if self.ended.done():
            self._refuse_commands()
        if self._asleep:
            self._wake()
        return future

    def call(self, function: Callable[[], T]) -> T:
        """Have the loop's thread run `function`; its result is returned, or its exception raised."""
        if threading.current_thread() is self._thread:
            return function()
        return self.wait(self.submit(function), None)

    def wait(self, future: "Future[T]", timeout: float | None) -> T:
        """The result of `future`; `TimeoutError` after `timeout` seconds, `OSError` when the host closes meanwhile."""
        if not future.done():
            either: list[Future[Any]] = [future, self.ended]
            wait_for_any(either, timeout, FIRST_COMPLETED)
        if not future.done() and self.ended.done():
            raise OSError(errno.ENETDOWN, "the host was closed") from self.ended.exception()
        return future.result(timeout=0)

    def watched(self, future: "Future[T]") -> "Future[T]":
        """`future`, which fails with `OSError` when the loop ends before it is settled. Only for the loop's thread."""
        if not future.done():
            self._watched.add(future)
            future.add_done_callback(self._watched.discard)
        return future

    def close(self) -> None:
        """End the loop, close the links and what stands behind them. May be called twice, and by any thread.

        Raises what ended the loop, if that was a defect.
        """
        self._stopping = True
        if threading.current_thread() is self._thread:
            return
        with self._closing:
            if self._event >= 0:
                self._wake()
                self._thread.join()
                self._close_event()
        self.ended.result()

    def _close_event(self) -> None:
        event, self._event = self._event, -1
        os.close(event)

    def _wake(self) -> None:
        os.eventfd_write(self._event, 1)

    def _main(self, opener: Callable[[], Opened], opened: "Future[None]") -> None:
        with contextlib.ExitStack() as cleanup:
            try:
                found = opener()
                self.forwards = found.forwards
                for backing in found.backing:
                    cleanup.callback(backing.close)
                for link, config in found.stations:
                    cleanup.callback(link.close)
                    fitting = config.with_(mtu=min(config.mtu, link.mtu))
                    self._stations.append((link, Stack(fitting, link, SystemEntropy(), self._now())))
            except BaseException as error:
                self.ended.set_result(None)
                opened.set_exception(error)
                return
            opened.set_result(None)
            try:
                self._run()
                for stack in self.stacks:
                    stack.close()
            except BaseException as error:
                self.ended.set_exception(error)
            else:
                self.ended.set_result(None)
            self._asleep = False
            for future in [*self._watched]:
                future.set_exception(OSError(errno.ENETDOWN, "the host was closed"))
            self._refuse_commands()

    def _refuse_commands(self) -> None:
        """Commands that came too late; two threads may do this at once."""
        with contextlib.suppress(IndexError):
            while True:
                self._commands.popleft().refuse()

    @staticmethod
    def _now() -> int:
        return time.monotonic_ns() // 1000

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._event, select.POLLIN)
        for link, _ in self._stations:
            poller.register(link.fileno(), select.POLLIN)
        while not self._stopping:
            if not self._turn():
                self._sleep(poller)

    def _turn(self) -> bool:
        """One round over commands, links and timers; whether there was anything."""
        busy = bool(self._commands)
        if busy:  # what they begin, they begin now, and not when the stacks last looked at the clock
            now = self._now()
            for stack in self.stacks:
                stack.timers.now = now
        for _ in range(len(self._commands)):
            self._commands.popleft().run()
        for link, stack in self._stations:
            frames = link.receive(BATCH)
            now = self._now()
            for frame in frames:
                stack.input(frame.data, frame.csum_ok, frame.gso_size, now)
            stack.poll(now)
            link.flush()
            busy = busy or bool(frames)
        return busy

    def _arm(self) -> bool:
        """Ask every link to wake us; whether one has something already."""
        ready = False
        for link in self.links:
            ready = link.arm() or ready
        return ready

    def _sleep(self, poller: select.poll) -> None:
        """Sleep until a link, a command or a deadline calls."""
        self._asleep = True
        # `_asleep` is set before this look at the commands, so a command is either seen here or wakes us.
        idle = not self._commands and not self._stopping and not self._arm()
        if idle:
            deadlines = [deadline for stack in self.stacks if (deadline := stack.next_deadline()) is not None]
            left = LONGEST_SLEEP
            if deadlines:
                left = min(left, max(0, min(deadlines) - self._now()) / 1e6)
            if any(not event & select.POLLIN for _, event in poller.poll(left * 1000)):
                time.sleep(left)  # a device that has gone reports its error at once, always
        self._asleep = False
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)
        for link in self.links:
            link.wait(0)
