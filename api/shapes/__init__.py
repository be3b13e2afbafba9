"""The shapes of answers. They are a contract: members may be added, never renamed or removed."""
