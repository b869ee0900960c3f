"""The part of a report that a reader works with: charts drawn in the browser, all cells, the records.

`browser_table.py` makes one compact table of the same frame as figures and tables; `embed.py` packs it and
the records into the page, `extract.py` takes the records out again. The scripts and the library lie in
`static/` and `vendor/`; `explorer.py` puts all of it into the page. Without scripting none of it shows, and
no number is missing that the page would have shown.
"""
