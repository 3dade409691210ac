"""What is shown to people, in pages, commands and logs alike: names, figures, trees. Pure."""
