"""From a published number back to what makes it: interactions, touches, raw rows; and the number anew."""
