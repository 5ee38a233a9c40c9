"""The face service: a random series of prompts, a live face that follows it, a signed word."""
