"""Write a headline for each article of a CSV file: python script.py MODEL_DIR FILE."""

import csv
import sys

import headline


def main(model_dir: str, path: str) -> None:
    """Prints the headline of each row's `content`, with its probability's logarithm."""
    writer = headline.load(model_dir)
    with open(path, encoding="utf-8", newline="") as file:
        articles = (row["content"] for row in csv.DictReader(file))
        for found in writer.pipe(articles, max_length=20):
            print(f"{found.score:.2f}\t{found.text}", found.error or "", sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
