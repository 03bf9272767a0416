"""Joins two parties' tables on a column that both have; each gets the joined rows, and the result is how many there are.

The inputs are CSV files with headings. The payload names the column, `id` without one. The first file's rows are kept in
memory, the second's are read one by one, so let the smaller one be the first.
"""

import csv
import io


def rows(file):
    return csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))


def main(payload, inputs, outputs):
    key = payload or "id"
    left, right = rows(inputs[0]), rows(inputs[1])
    for number, table in enumerate((left, right), 1):
        if key not in (table.fieldnames or []):
            raise SystemExit(f"file {number} has no column of that name")

    held = {}
    for row in left:
        held.setdefault(row[key], []).append(row)

    columns = list(left.fieldnames) + [name for name in right.fieldnames if name not in left.fieldnames]
    texts = [io.TextIOWrapper(outputs.owner[n], encoding="utf-8", newline="") for n in range(2)]
    writers = [csv.DictWriter(text, columns, lineterminator="\n") for text in texts]
    for writer in writers:
        writer.writeheader()
    count = 0
    for row in right:
        for match in held.get(row[key], ()):
            for writer in writers:
                writer.writerow({**row, **match})
            count += 1
    return f"{count} rows"
