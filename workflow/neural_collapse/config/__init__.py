"""What a study is: its runs and settings, read from config.yaml and checked."""
