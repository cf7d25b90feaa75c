"""The welfare-technology hub: edge in the home, centre in the municipality."""
