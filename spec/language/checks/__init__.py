"""Static checks: one module per thing that is forbidden; `spec.language.check.run_checks` runs them all."""
