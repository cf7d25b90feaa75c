"""Who is told, in which order: the rota and the plans."""
