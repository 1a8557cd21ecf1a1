"""Whatever ends a command, and wherever there is no room for it: nothing torn, nothing lost, it goes on."""
