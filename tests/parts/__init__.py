"""Programs beyond Python that tests need: how they come here, where they are kept, how they run."""
