"""What invoices are written by: the seller, the tax rates, and the addresses of those who pay."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from guitaronline.billing.invoices.addresses import set_billing_address
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.sellers import set_seller
from guitaronline.billing.invoices.taxes import set_tax_rate
from guitaronline.demo.stage import School

RATES = (("DE", 1900), ("ES", 2100), ("FR", 2000), ("GB", 2000), ("PL", 2300))
OUTSIDE = "Not subject to German VAT: the place of supply is the buyer's country."
SELLER = Party(
    name="GuitarOnline Example GmbH",
    street="Saitengasse 6",
    postal_code="10115",
    city="Berlin",
    country="DE",
    tax_id="DE000000000",
    registration="Example register HRB 000000",
    contact="office@school.example",
    bank="Example Bank, IBAN DE00 0000 0000 0000 0000 00",
)
PLACES = {  # zone → street, postal code, city, country
    "Europe/Berlin": ("Beispielweg", "20095", "Hamburg", "DE"),
    "Europe/London": ("Example Road", "SW1A 1AA", "London", "GB"),
    "Europe/Madrid": ("Calle del Ejemplo", "28013", "Madrid", "ES"),
    "Europe/Warsaw": ("ulica Przykładowa", "00-001", "Warszawa", "PL"),
    "America/New_York": ("Example Street", "10011", "New York", "US"),
    "America/Chicago": ("Sample Avenue", "60601", "Chicago", "US"),
    "Asia/Tokyo": ("Example-cho", "100-0001", "Tokyo", "JP"),
}


def open_books(school: School, moment: datetime) -> None:
    """Invoices can be issued from now on."""
    day = school_day(moment)
    for country, rate_bps in RATES:
        set_tax_rate(school.finance, country=country, rate_bps=rate_bps, valid_from=day)
    set_tax_rate(school.finance, country="US", rate_bps=0, valid_from=day, exemption=OUTSIDE)
    set_seller(school.finance, party=SELLER, footer="Thank you for playing with us.")


def give_address(school: School, person_id: UUID, *, name: str, zone: str, number: int) -> None:
    """Two of three give their address; of the others invoices know the name."""
    place = PLACES.get(zone)
    if place is None or number % 3 == 2:
        return
    street, postal_code, city, country = place
    company = "Example Strings Ltd" if number % 20 == 7 else ""
    party = Party(name, company, f"{street} {1 + number % 80}", postal_code, city, country)
    set_billing_address(school.support, person_id, party=party)
