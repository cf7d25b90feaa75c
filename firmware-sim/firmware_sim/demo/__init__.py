"""The demo: a resident's evening, from the buttons to the phones, with every part a real process."""
