"""What others have trained, and what stands in for it: each a plain function of one signature."""
