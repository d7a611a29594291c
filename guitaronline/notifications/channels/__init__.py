"""Ways to a person, behind one interface: `base.Way`."""
