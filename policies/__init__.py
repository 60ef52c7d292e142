"""The policy pack: what the engine may not do to a serving stack. It judges resources, whoever declares them."""
