"""Write headlines in a Ray pipeline: python ray_map_batches.py MODEL_DIR FILE."""

import sys
from pathlib import Path

import ray

from headline.cluster.ray import Headlines


def main(model_dir: str, path: str) -> None:
    """Prints the title of each row and the headline that the model writes."""
    # Actors do not run in this folder, and on a cluster not on this machine. There,
    # both paths must be on a disk that all machines share.
    model_dir, path = (str(Path(name).absolute()) for name in (model_dir, path))
    dataset = ray.data.read_csv(path).map_batches(
        Headlines,
        fn_constructor_args=[model_dir],
        fn_constructor_kwargs={"max_length": 20},
        batch_size=4096,  # articles of similar length are searched together
        batch_format="pyarrow",
        concurrency=1,  # actors, each with the model
    )
    for row in dataset.iter_rows():
        print(row["title"], row["headline"], sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
