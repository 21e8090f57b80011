"""Does a D2 coreset train better models than other coresets? See the README here."""
