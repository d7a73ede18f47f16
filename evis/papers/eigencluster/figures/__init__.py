"""What only the lead paper's notebooks draw."""
