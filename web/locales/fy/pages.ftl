# Web pages.
