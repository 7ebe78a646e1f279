"""Write headlines in a Spark pipeline: python spark_map_in_arrow.py MODEL_DIR FILE."""

import sys

from pyspark.sql import SparkSession

from headline.cluster.spark import headlines


def main(model_dir: str, path: str) -> None:
    """Prints the title of each row and the headline that the model writes."""
    spark = SparkSession.builder.appName("headlines").getOrCreate()
    # Articles may have quotes and line breaks in them.
    df = spark.read.csv(path, header=True, multiLine=True, escape='"')
    write = headlines(model_dir, max_length=20)  # a folder that all machines share
    for row in df.mapInArrow(write, write.schema(df.schema)).toLocalIterator():
        print(row.title, row.headline, sep="\t")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
