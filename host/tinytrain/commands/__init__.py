"""The subcommands of `tinytrain`; each module adds its own to the parser with add(commands)."""
