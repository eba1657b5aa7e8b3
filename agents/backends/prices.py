"""What a request to a model costs, by the prices that come with genai-prices."""

import functools
import logging
from decimal import Decimal

from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import AbstractUsage

logger = logging.getLogger(__name__)

# A third of a second, spent while backends are loaded and not while answers stream.
get_snapshot()


def cost_of(usage: AbstractUsage, *, model: str, vendor: str, address: str) -> Decimal:
    """In US dollars, unrounded; nothing where no price is known."""
    try:
        return _cost(usage, model, vendor, address)
    except LookupError:
        _say_unpriced(vendor, model, "its price is not known")
    except ValueError as error:
        # Some servers count in ways of their own: more tokens from the cache than there were.
        _say_unpriced(vendor, model, str(error))
    return Decimal(0)


def _cost(usage: AbstractUsage, model: str, vendor: str, address: str) -> Decimal:
    try:
        # Who resells a model under another address has prices of their own.
        return calc_price(usage, model, provider_api_url=address).total_price
    except LookupError:
        return calc_price(usage, model, provider_id=vendor).total_price


@functools.cache
def _say_unpriced(vendor: str, model: str, why: str) -> None:
    """Once in the life of a process for each model."""
    logger.warning("%s:%s counts as free: %s", vendor, model, why)
