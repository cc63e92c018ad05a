"""turfctl review: held messages one by one, on a screen that single keys control."""
