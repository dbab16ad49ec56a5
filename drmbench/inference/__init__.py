# SPDX-License-Identifier: MIT
"""What a few runs say about all runs: intervals, outliers, tests. Knows neither drivers nor reports.

intervals and outliers need numpy only, because the measuring commands use them, in emulated machines too, where
an import of scipy takes many seconds; rank_test, which only comparisons use, is scipy's.
"""
