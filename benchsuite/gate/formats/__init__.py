"""A gate's result in the formats that CI systems and people read: pure functions `GateResult` → text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchsuite.gate.formats.html_page import to_html
from benchsuite.gate.formats.junit import to_junit
from benchsuite.gate.formats.markdown import to_comment, to_markdown
from benchsuite.gate.formats.series import to_bencher, to_csv, to_github_action_benchmark
from benchsuite.gate.result import GateResult

FORMATS: Mapping[str, Callable[[GateResult], str]] = {
    "junit": to_junit,
    "html": to_html,
    "markdown": to_markdown,
    "comment": to_comment,
    "github_benchmark": to_github_action_benchmark,
    "bencher": to_bencher,
    "csv": to_csv,
}
"""Option of the command line → what makes its text."""
