"""Message layouts: octets to typed messages and back, as pure functions.

On the data path an address is its packed octets: 4 for IPv4, 16 for IPv6 (`Address`), so one type carries both families
and the length tells them apart; a MAC address is 6 octets. `ipaddress` objects appear only in the API above the stack.
"""
