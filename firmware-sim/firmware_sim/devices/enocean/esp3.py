"""ESP3 packets, as a stick writes them (EnOcean Serial Protocol 3, section 1.6)."""

SYNC = 0x55
RADIO_ERP1, RESPONSE, COMMON_COMMAND = 0x01, 0x02, 0x05
HEADER_BYTES = 6


def crc8(data: bytes) -> int:
    """Return the CRC-8 of ESP3: polynomial x^8+x^2+x+1 (0x07), from 0, not reflected."""
    value = 0
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = ((value << 1) ^ 0x07 if value & 0x80 else value << 1) & 0xFF
    return value


def packet(kind: int, data: bytes, optional: bytes = b"") -> bytes:
    """Return one ESP3 packet."""
    header = len(data).to_bytes(2, "big") + bytes([len(optional), kind])
    body = data + optional
    return bytes([SYNC]) + header + bytes([crc8(header)]) + body + bytes([crc8(body)])
