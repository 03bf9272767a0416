"""The join of `bench join` by DuckDB and Polars: the same lines, the same sums, the same order, written to a file.

Usage: join.py duckdb|polars FOLDER COUNT THREADS; prints the seconds that it took, from text to text.
"""

import sys
import time

engine, folder, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
paths = [f"{folder}/{number}.txt" for number in range(count)]
answer = f"{folder}/{engine}.out"


def duckdb_join():
    import duckdb

    base = duckdb.connect(config={"threads": threads})
    tables = [
        f"(SELECT id, sum(amount) AS amount FROM read_csv('{path}', delim=':', header=false, "
        "columns={'id': 'VARCHAR', 'amount': 'BIGINT'}) GROUP BY id)"
        for path in paths
    ]
    joined = tables[0] + " AS t0"
    for number, table in enumerate(tables[1:], start=1):
        joined += f" JOIN {table} AS t{number} USING (id)"
    total = " + ".join(f"t{number}.amount" for number in range(count))
    base.execute(
        f"COPY (SELECT id, {total} AS amount FROM {joined} ORDER BY id) TO '{answer}' (DELIMITER ':', HEADER false)"
    )


def polars_join():
    import polars

    tables = [
        polars.scan_csv(path, separator=":", has_header=False, new_columns=["id", f"amount{number}"])
        .group_by("id")
        .agg(polars.col(f"amount{number}").sum())
        for number, path in enumerate(paths)
    ]
    joined = tables[0]
    for table in tables[1:]:
        joined = joined.join(table, on="id")
    total = polars.sum_horizontal([f"amount{number}" for number in range(count)])
    joined.select("id", total.alias("amount")).sort("id").collect().write_csv(
        answer, separator=":", include_header=False
    )


begin = time.monotonic()
{"duckdb": duckdb_join, "polars": polars_join}[engine]()
print(time.monotonic() - begin)
