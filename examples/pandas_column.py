"""Add a column of headlines to a table: python pandas_column.py MODEL_DIR FILE."""

import sys

import pandas as pd

import headline


def main(model_dir: str, path: str) -> None:
    """Prints the table with the columns `headline` and `score`."""
    writer = headline.load(model_dir)
    df = pd.read_csv(path)
    found = writer.write(df["content"])
    df["headline"] = [one.text for one in found]
    df["score"] = [one.score for one in found]
    print(df[["headline", "score"]].to_csv(index=False), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
