"""Finance's commands and refusals under one roof, for the doors."""

from guitaronline.finance.accounts import map_accounts
from guitaronline.finance.rates import add_extra, end_rate, set_rate
from guitaronline.finance.refusals import *  # noqa: F403  # every refusal is part of the roof
from guitaronline.finance.statements import approve_statement

__all__ = ["add_extra", "approve_statement", "end_rate", "map_accounts", "set_rate"]
