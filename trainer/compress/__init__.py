"""Making a trained model cheap to ask: fewer steps, smaller numbers, fewer launches, and what each of them saves."""
