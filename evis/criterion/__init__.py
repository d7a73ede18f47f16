"""From a prediction and its clips to losses: targets, matching, and the terms all methods share."""
