"""The commands of `maskwatch`, a module each; they parse, call a room, and print."""
