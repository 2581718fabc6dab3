"""Writers that re-pack real recordings exactly as the tools of each format write them."""
