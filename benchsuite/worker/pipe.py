"""Messages between a worker process and its parent, through pipes: a length, then a pickle."""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
import sys
import time
from typing import IO, Any

LENGTH = struct.Struct("<Q")
"""How the length of a message is written in front of it."""
STOPS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
"""What asks a run to stop, or says that SLURM will stop it. Often it reaches the workers too; it is the
parent's to handle."""
if sys.platform != "win32":
    STOPS = (*STOPS, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def send(pipe: IO[bytes], message: object) -> None:
    """Write one message; whole, since an unbuffered pipe may take it piece by piece."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    view = memoryview(LENGTH.pack(len(data)) + data)
    while view:
        view = view[pipe.write(view) :]


def receive(pipe: IO[bytes], deadline: float | None = None) -> Any:
    """Read one message.

    Args:
        deadline: moment of the monotonic clock; None waits for ever.

    Raises:
        EOFError: the other end has closed.
        TimeoutError: the deadline has passed.
    """
    size = LENGTH.size
    for is_length in (True, False):
        data = bytearray()
        while len(data) < size:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([pipe], [], [], left)[0]:
                    raise TimeoutError
            piece = os.read(pipe.fileno(), min(size - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        if is_length:
            (size,) = LENGTH.unpack(data)
    return pickle.loads(data)
