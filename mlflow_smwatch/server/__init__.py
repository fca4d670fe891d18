"""The mirror inside a tracking server: who runs it, and the page that tells how it goes."""
