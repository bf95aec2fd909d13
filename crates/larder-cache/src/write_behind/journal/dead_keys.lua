return redis.call('HKEYS', KEYS[3])
