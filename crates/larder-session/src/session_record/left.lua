return left(KEYS[1])
