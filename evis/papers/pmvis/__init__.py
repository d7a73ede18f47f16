"""PM-VIS: IDOL trained from boxes and from masks that were made of them."""
