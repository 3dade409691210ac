"""The command `measure`: where the space goes, for anybody at a terminal."""
