"""What a person touches: live parts for notebooks, each with a static form that stays."""
