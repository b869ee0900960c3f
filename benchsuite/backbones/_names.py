"""Names of weights with numbers in them that move: the authors' → ours."""

from __future__ import annotations

import re
from collections.abc import Callable


def moved(template: str, by: int) -> Callable[[re.Match[str]], str]:
    """A replacement that fills `template` with the match's first number plus `by`: block1 → stages.0."""

    def replace(match: re.Match[str]) -> str:
        return template.format(int(match[1]) + by)

    return replace
