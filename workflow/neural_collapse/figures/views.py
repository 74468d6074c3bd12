"""Tables for a browser, plain and self-contained: what Snakemake's own report shows of a table."""

from pathlib import Path

import pandas as pd

from ..storage import whole_file

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 1rem; color: #1d2126; background: #fff; }}
table {{ border-collapse: collapse; }} th, td {{ padding: .3rem .6rem; text-align: left; vertical-align: top; }}
tr {{ border-top: 1px solid #d5d9de; }} thead th {{ position: sticky; top: 0; background: #f2f4f6; }}
</style></head><body><h1>{title}</h1>
{table}
</body></html>
"""


def write_view(path: Path, table: pd.DataFrame, title: str) -> None:
    """Write a table as a page: numbers to six digits, names of columns in words, nothing where there is no value."""
    words = table.rename(columns=lambda name: name.replace("_", " ")).astype(object)
    words = words.where(words.notna(), "\N{EN DASH}")
    html = words.to_html(index=False, border=0, float_format="{:.6g}".format)
    with whole_file(path) as temporary:
        temporary.write_text(_PAGE.format(title=title, table=html), encoding="utf-8")
