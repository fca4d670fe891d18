"""The pure core: plain values in, plain values out; no network, clock or environment."""
