"""The plot kit, and figures that no single paper owns."""
