"""The chapters of the story: each is one module, and plays on the cast."""
