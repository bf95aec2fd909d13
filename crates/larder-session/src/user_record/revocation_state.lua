return redis.call('GET', KEYS[2])
