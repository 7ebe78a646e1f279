"""Finding the headline styles of a corpus, and teaching them to a trained model."""
