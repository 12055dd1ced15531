"""`python -m gnap_search` is `gnap-search`."""

from gnap_search.cli import main

main()
