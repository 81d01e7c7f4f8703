"""Static checks: one module per thing that is forbidden; `run_checks` runs them all."""

from wirelaw.spec.language.checks.run import CheckReport, run_checks

__all__ = ["CheckReport", "run_checks"]
