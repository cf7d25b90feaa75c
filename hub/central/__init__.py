"""The centre: stores every observation, decides what is an incident, and escalates it until it is taken."""
