"""A Bluetooth world without a radio: real HCI, L2CAP, ATT and SMP by bumble, over a virtual air."""
