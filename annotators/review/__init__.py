"""People at the boundaries: documents under review, their log, and the app that shows them (docs/review.md)."""
