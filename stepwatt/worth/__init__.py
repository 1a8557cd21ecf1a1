"""What things are worth in money: levers, information, changes of an instance, between certified ends."""
