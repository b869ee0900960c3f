"""A gate's result in the formats that CI systems and people read: pure functions `GateResult` → text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchsuite.analyse.gate_result import GateResult
from benchsuite.report.gate_formats.html import to_html
from benchsuite.report.gate_formats.junit import to_junit
from benchsuite.report.gate_formats.markdown import to_comment, to_markdown
from benchsuite.report.gate_formats.series import to_bencher, to_github_action_benchmark
from benchsuite.report.gate_formats.table import to_csv

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
