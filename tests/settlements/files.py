"""Small files of every kind, and their reading without a database."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

from guitaronline.billing.settlements.models import FileKind
from guitaronline.billing.settlements.profiles import Columns
from guitaronline.billing.settlements.reading.lines import Line, Statement
from guitaronline.billing.settlements.reading.problems import Problem
from guitaronline.billing.settlements.reading.readers import Reading

PAYMENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
STRIPE_HEADING = (
    "automatic_payout_id,balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,"
    "source_id,payment_intent_id,description,customer_email,payment_metadata[payment_id]"
)
IBAN = "DE89370400440532013000"


def stripe_row(
    number: int = 1,
    *,
    gross: str = "49.00",
    fee: str = "1.67",
    net: str = "47.33",
    category: str = "charge",
    currency: str = "usd",
    created: str = "2026-11-03 10:15:00",
    payout: str = "po_1",
    source: str | None = None,
    description: str = "Ten lessons",
    payment: str = "",
) -> str:
    about = f"ch_{number}" if source is None else source
    return (
        f"{payout},txn_{number},{created},2026-11-05 00:00:00,{currency},{gross},{fee},{net},{category},{about},pi_{number},"
        f"{description},ann@people.example,{payment}"
    )


def stripe(*rows: str, heading: str = STRIPE_HEADING, end: str = "\n") -> bytes:
    return "".join(f"{row}{end}" for row in (heading, *rows)).encode()


@dataclass(frozen=True)
class Bytes:
    """A `texts.Source`."""

    content: bytes

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


@dataclass(frozen=True)
class Found:
    lines: list[Line]
    problems: list[Problem]
    total: int
    statements: list[Statement]

    @property
    def told(self) -> list[tuple[int | None, str, str]]:
        return [(each.line, each.column, each.sentence) for each in self.problems]


def read(kind: FileKind, content: bytes, **more: Any) -> Found:
    """What the reader finds; `account` is `shop` unless the file names it itself."""
    given = {"account": "shop", **more}
    reading = Reading(kind, Bytes(content), **given)
    lines = list(reading.lines())
    return Found(lines, reading.problems.listed, reading.problems.total, reading.statements)


def read_stripe(content: bytes) -> Found:
    return read(FileKind.STRIPE_PAYOUTS, content)


# CAMT.053

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def balance(kind: str, amount: str, *, sign: str = "CRDT", currency: str = "EUR", day: str = "2026-11-03") -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{amount}</Amt>'
        f"<CdtDbtInd>{sign}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def entry(
    amount: str,
    *,
    sign: str = "CRDT",
    ref: str = "",
    details: str = "",
    status: str = "<Sts><Cd>BOOK</Cd></Sts>",
    currency: str = "EUR",
    day: str = "2026-11-03",
    more: str = "",
) -> str:
    reference = f"<AcctSvcrRef>{ref}</AcctSvcrRef>" if ref else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{status}<BookgDt><Dt>{day}</Dt></BookgDt>'
        f"<ValDt><Dt>{day}</Dt></ValDt>{reference}{more}{f'<NtryDtls>{details}</NtryDtls>' if details else ''}</Ntry>"
    )


def detail(*, amount: str = "", end_to_end: str = "", name: str = "Ann Field", text: str = "", ref: str = "") -> str:
    refs = f"<AcctSvcrRef>{ref}</AcctSvcrRef>" if ref else ""
    refs += f"<EndToEndId>{end_to_end}</EndToEndId>" if end_to_end else ""
    given = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return (
        f"<TxDtls><Refs>{refs}</Refs>{given}"
        f"<RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr></RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )


def statement(*parts: str, opening: str = "100.00", closing: str = "149.00", iban: str = IBAN, head: str = "") -> str:
    return (
        f"<Stmt><Id>S-1</Id>{head}<Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></Acct>{balance('OPBD', opening)}"
        f"{balance('CLBD', closing)}{''.join(parts)}</Stmt>"
    )


def camt(*statements: str, namespace: str = NAMESPACE, before: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{before}<Document xmlns="{namespace}"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr>\n'
        + "\n".join(statements)
        + "\n</BkToCstmrStmt></Document>"
    ).encode()


def read_camt(content: bytes, account: str | None = None) -> Found:
    return read(FileKind.CAMT053, content, account=account)


# A bank's CSV

GERMAN = Columns(
    booked_on="Buchungstag",
    value_on="Valuta",
    amount="Betrag",
    currency="Währung",
    texts=["Verwendungszweck"],
    counterparty="Name",
    balance="Saldo",
    delimiter=";",
    encoding="cp1252",
    decimal=",",
    thousands=".",
    day="%d.%m.%Y",
)
GERMAN_HEADING = "Buchungstag;Valuta;Name;Verwendungszweck;Betrag;Währung;Saldo"


def german(*rows: str, before: str = "", encoding: str = "cp1252") -> bytes:
    return (before + "".join(f"{row}\r\n" for row in (GERMAN_HEADING, *rows))).encode(encoding)


def read_german(content: bytes, **more: Any) -> Found:
    return read(FileKind.BANK_CSV, content, account=IBAN, **{"columns": GERMAN, **more})


# PayPal

PAYPAL_HEADING = (
    '"CH","Transaction ID","Invoice ID","PayPal Reference ID","PayPal Reference ID Type","Transaction Event Code",'
    '"Transaction Initiation Date","Transaction Completion Date","Transaction Debit or Credit","Gross Transaction Amount",'
    '"Gross Transaction Currency","Fee Debit or Credit","Fee Amount","Fee Currency","Custom Field"'
)


def paypal_row(
    number: int = 1,
    *,
    code: str = "T0006",
    sign: str = "CR",
    gross: str = "4900",
    fee: str = "201",
    currency: str = "USD",
    related: str = "",
    custom: str = PAYMENT_ID,
) -> str:
    moments = '"2026/11/03 04:15:00 -0800","2026/11/03 04:16:00 -0800"'
    return f'"SB","P{number}","","{related}","TXN","{code}",{moments},"{sign}",{gross},"{currency}","DR",{fee},"{currency}","{custom}"'


def paypal(*rows: str, sums: str = '"SF","USD",4900,0,0,201,"CR",10000,"CR",14699', count: int | None = None) -> bytes:
    number = len(rows) if count is None else count
    lines = [
        '"RH",2026/11/04 02:00:00 -0800,"A","MERCHANT1",009,',
        '"FH",01',
        '"SH",2026/11/03 00:00:00 -0800,2026/11/03 23:59:59 -0800,"MERCHANT1",""',
        PAYPAL_HEADING,
        *rows,
        sums,
        f'"SC",{number}',
        f'"RC",{number}',
        '"FF",1',
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def read_paypal(content: bytes) -> Found:
    return read(FileKind.PAYPAL, content)


# MT940


def mt940(*movements: str, opening: str = "C261102EUR100,00", closing: str = "C261103EUR149,00") -> bytes:
    lines = [
        ":20:STARTUMSE",
        ":25:37040044/0532013000",
        ":28C:00001/001",
        f":60F:{opening}",
        *movements,
        f":62F:{closing}",
        "-",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def read_mt940(content: bytes, account: str | None = None) -> Found:
    return read(FileKind.MT940, content, account=account)
