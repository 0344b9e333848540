"""Who owns which fields of an object, and how they change hands."""
