"""Public hosted zones at Amazon Route 53."""

from detour.providers.route53.limits import LIMITS
from detour.providers.route53.provider import Route53Provider, open_zone
from detour.providers.route53.session import account

__all__ = ["LIMITS", "Route53Provider", "account", "open_zone"]
