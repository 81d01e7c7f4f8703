"""From law to implementation: each machine under each profile becomes one readable Python module."""

from wirelaw.tools.generate.module import HEADER, generate
from wirelaw.tools.generate.write import module_name, write_all

__all__ = ["HEADER", "generate", "module_name", "write_all"]
