"""A customer's points: spending them, being awarded them, and taking them to a partner."""

from chalicelib.points.service.awards import AwardService
from chalicelib.points.service.conversions import ConversionService
from chalicelib.points.service.timers import PointTimers
from chalicelib.points.service.wallets import PointService

__all__ = ["AwardService", "ConversionService", "PointService", "PointTimers"]
