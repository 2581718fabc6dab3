"""Ways to spoil files as the world does and as attackers do, a module per kind of file."""
