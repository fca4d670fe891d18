"""The emulated account: real training runs, put into an emulator through the ordinary AWS APIs."""
