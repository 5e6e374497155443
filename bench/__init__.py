"""What a review costs, as ratios measured in one run: `python -m bench`, see README.md."""
