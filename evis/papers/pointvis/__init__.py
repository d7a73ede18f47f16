"""PointVIS: a click an object chooses among the masks that a model of pictures proposes."""
