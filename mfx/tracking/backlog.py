"""Calls to a store, made in a background thread, so that nothing waits for the store or ends when it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds for which a store that failed is left alone: one that is locked makes each call wait."""

T = TypeVar("T")


class Backlog:
    """Makes calls one after the other in a thread of its own; those that fail are kept, and made again later.

    A failure costs a warning. The calls behind it wait, so that their order stays, until `PAUSE` is over or `settle`
    is called. A call that failed is made again as a whole, so it must not matter that a part of it was done before.

    Parameters
    ----------
    name : str
        Name of the thread.
    goes_on : str
        What goes on when the store fails, for the warning, such as ``"The run"``.
    """

    def __init__(self, name: str, goes_on: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._goes_on = goes_on
        self._late: list[Callable[[], object]] = []  # of the thread, as the next two
        self._again = 0.0
        self._warned = False

    def add(self, call: Callable[[], object]) -> None:
        """Have a call made; returns at once."""
        self._thread.submit(self._in_turn, call)

    def ask(self, call: Callable[[], T]) -> T:
        """Have a call made after those before it were tried, and return what it returns, or raise what it raises."""
        return self._thread.submit(call).result()

    def settle(self) -> None:
        """Wait until everything so far is done; calls that failed are made again.

        Raises
        ------
        Exception
            What the first of the calls raised that failed again. They are kept, so this may be called again.
        """
        self.ask(self._settle)

    def close(self, last: Callable[[bool], object]) -> None:
        """Settle, make a last call, whether or not all is done, and end the thread.

        Parameters
        ----------
        last : callable
            Told whether everything before it is done.

        Raises
        ------
        Exception
            What failed first.
        """
        failures: list[BaseException] = []
        for call in (self._settle, lambda: last(not failures)):
            try:
                self.ask(call)
            except Exception as error:
                failures.append(error)
        self._thread.shutdown(wait=True)
        if failures:
            raise failures[0]

    def _in_turn(self, call: Callable[[], object]) -> None:
        self._late.append(call)
        if time.monotonic() < self._again:
            return
        try:
            while self._late:
                self._late[0]()
                del self._late[0]
            self._warned = False
        except BaseException as error:
            self._again = time.monotonic() + PAUSE
            if not self._warned:
                message = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
                log.warning("%s %s goes on, and this is recorded later.", message, self._goes_on)
                self._warned = True

    def _settle(self) -> None:
        """Make each call that is left; where the store makes failures wait, for as long as `PAUSE` only."""
        late, self._late = self._late, []
        failures: list[BaseException] = []
        end = time.monotonic() + PAUSE
        for call in late:
            if failures and time.monotonic() > end:
                self._late.append(call)
                continue
            try:
                call()
            except BaseException as error:
                failures.append(error)
                self._late.append(call)
        if failures:
            raise failures[0]
