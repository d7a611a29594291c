"""`python bench/sink.py PORT`: a mail server that takes everything and keeps nothing, as quick as Python can be."""

from __future__ import annotations

import asyncio
import sys


class Sink(asyncio.Protocol):
    """One connection. Commands may come together (RFC 2920), as every server of today allows."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.received, self.in_content = b"", False
        self.transport.write(b"220 sink\r\n")

    def data_received(self, some: bytes) -> None:
        self.received += some
        if self.in_content:
            if self.received.endswith(b"\r\n.\r\n"):
                self.in_content, self.received = False, b""
                self.transport.write(b"250 taken\r\n")
            return
        while b"\r\n" in self.received and not self.in_content:
            line, _, self.received = self.received.partition(b"\r\n")
            self.answer(line[:4].upper())

    def answer(self, word: bytes) -> None:
        if word == b"DATA":
            self.in_content = True
            self.transport.write(b"354 go on\r\n")
        elif word == b"EHLO":
            self.transport.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif word == b"QUIT":
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        else:
            self.transport.write(b"250 ok\r\n")


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, reuse_address=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
