"""Whether an address is of this machine alone: what servers ask before they do without accounts or tokens."""

import ipaddress


def is_local_host(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
