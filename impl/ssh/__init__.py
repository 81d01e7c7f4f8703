"""SSH-2 (RFC 4251 to 4254): packets, keys and messages around the generated machine. `SshClient` is one connection, without sockets."""

from wirelaw.impl.ssh.client import Offer, Program, SshClient
from wirelaw.impl.ssh.keys import Password, UserKey, host_key

__all__ = ["Offer", "Password", "Program", "SshClient", "UserKey", "host_key"]
