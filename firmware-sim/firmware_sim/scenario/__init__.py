"""``hub-sim run``: what happens in homes, as data; played on the whole chain, and judged."""
