"""Ways into the hub: bytes from serial lines, adverts and connections over BLE."""
