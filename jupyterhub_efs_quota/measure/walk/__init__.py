"""The walk of one home: the compiled one and its twin in Python, one behaviour."""
