"""The network stack: `Host` and its configuration."""

from wirelaw.impl.net.config import HostConfig, Limits
from wirelaw.impl.net.host import Host, LiveHost, VirtualHost

__all__ = ["Host", "HostConfig", "Limits", "LiveHost", "VirtualHost"]
