"""What people and sources say about a recording, and what the tree makes of it (docs/segment.md, "Annotations")."""
