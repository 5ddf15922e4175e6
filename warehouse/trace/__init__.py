"""From a published number back to what makes it: interactions and touches, raw rows, and the number counted anew."""
