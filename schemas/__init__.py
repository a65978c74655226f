"""The vocabulary: exchanges, errors, identifiers, and the questions and answers of each database."""
