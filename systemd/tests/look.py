"""Looks through a bridge: waits over a WebSocket for a trade and a quote that came after the look began.

    look.py TOKEN_FILE [PORT]

Needs nothing but Python. Ends with 0 once both came, with 1 and the reason if a minute goes by without.
"""

import base64
import json
import os
import socket
import struct
import sys
import time

LIMIT_S = 60
MARKET = "kraken:BTC/USD"


def upgrade(link, token):
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /ws HTTP/1.1",
        "Host: 127.0.0.1:8080",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {token}",
    ]
    link.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    stream = link.makefile("rb")
    status = stream.readline().decode().strip()
    while stream.readline().strip():
        pass
    if " 101 " not in status + " ":
        sys.exit(f"the bridge answers {status}")
    return stream


def send(link, message):
    """One masked text frame, as a client has to send them."""
    payload = json.dumps(message).encode()
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    link.sendall(struct.pack("!BBH", 0x81, 0x80 | 126, len(payload)) + mask + masked)


def frames(stream):
    while True:
        first, length = stream.read(2)
        if length == 126:
            (length,) = struct.unpack("!H", stream.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", stream.read(8))
        payload = stream.read(length)
        if first & 0x0F == 1:
            yield json.loads(payload)


def main():
    token = open(sys.argv[1], encoding="utf-8").read().strip()
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8080
    began = time.monotonic()
    link = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
    stream = upgrade(link, token)
    send(link, {"op": "subscribe", "channels": ["trades", "quotes"], "symbols": [MARKET], "id": 1})
    wanted = {"trades", "quotes"}
    for message in frames(stream):
        # A snapshot says what was; only what comes after it shows that data flows.
        if message.get("type") == "update":
            wanted.discard(message["channel"])
        if not wanted:
            return
        if time.monotonic() - began > LIMIT_S:
            sys.exit(f"no {', '.join(sorted(wanted))} of {MARKET} within {LIMIT_S} s; the last message: {message}")


main()
