"""Card templates and the source registry: licence, consent, personal data, contact."""
